-- Beside the Hub's own database, which POSTGRES_DB names: run once, when the server is new.
CREATE DATABASE ledger;
