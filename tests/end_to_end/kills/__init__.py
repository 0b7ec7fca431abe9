"""The kill table: every process of the product killed in every phase of a notebook."""
