"""What was made and what people thought of it, in one database: stores and adds up, decides nothing."""
