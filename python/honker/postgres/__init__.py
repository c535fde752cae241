"""The storage engine on PostgreSQL: the functions of ``reference.yaml`` in PL/pgSQL, and connections by psycopg."""
