-- The Hub's own database, beside the ledger; read once, when PostgreSQL's volume is new.
CREATE DATABASE hub OWNER notebooks;
