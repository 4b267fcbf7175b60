"""Changes of a catalog, each with the object that it is to be reported as."""

from __future__ import annotations

ON_BOTH = {
    "DROP TABLE holds": "table holds",
    "CREATE TABLE strays (id bigint PRIMARY KEY)": "table strays",
    "CREATE VIEW strays AS SELECT id FROM users": "view strays",
    "ALTER TABLE notes ADD COLUMN colour text": "table notes column colour",
    "ALTER TABLE test_cases DROP COLUMN expected_outcome": (
        "table test_cases column expected_outcome"
    ),
    "ALTER TABLE bugs RENAME COLUMN title TO heading": "table bugs column heading",
    "DROP INDEX idx_test_results_test_case_id_run_id": (
        "index idx_test_results_test_case_id_run_id"
    ),
    "CREATE INDEX idx_strays ON users (full_name)": "index idx_strays",
    "CREATE INDEX idx_strays ON users (full_name DESC)": "index idx_strays",
    "CREATE UNIQUE INDEX idx_strays ON users (full_name) WHERE is_active": "index idx_strays",
}

ON_SQLITE = {
    "DROP TRIGGER trg_users_audit_update": "trigger trg_users_audit_update",
    "DROP TRIGGER trg_users_updated_at": "trigger trg_users_updated_at",
    "DROP TRIGGER trg_audit_logs_no_delete": "trigger trg_audit_logs_no_delete",
    "CREATE TRIGGER strays AFTER DELETE ON users BEGIN DELETE FROM notes; END": "trigger strays",
    "DROP TABLE notes_search": "table notes_search",
    "DROP TABLE audit_context": "table audit_context",
    "CREATE TABLE strays (id integer PRIMARY KEY) WITHOUT ROWID": "table strays",
}

# Each is written over a part of an object's definition.
REWRITTEN_ON_SQLITE = {
    ("users", "username VARCHAR(50)", "username VARCHAR(60)"): "table users column username",
    ("users", "NOT NULL", ""): "table users column",
    ("bugs", "ON DELETE SET NULL", "ON DELETE CASCADE"): "table bugs",
    ("bugs", "'critical'", "'grave'"): "table bugs constraint ck_bugs_severity_known",
    ("users", "DEFAULT 480", "DEFAULT 481"): "table users column session_timeout_minutes",
    ("test_runs", "AUTOINCREMENT", ""): "table test_runs",
    ("slas", "name VARCHAR(255)", "name VARCHAR(255) COLLATE nocase"): "table slas column",
    ("holds", "released_at >= placed_at", "released_at > placed_at"): "table holds constraint",
    ("tenants", "PRIMARY KEY (id)", "PRIMARY KEY (id, name)"): "table tenants",
    ("orders", "UNIQUE (tenant_id, order_number)", "UNIQUE (order_number)"): "table orders",
    ("idx_users_created_by", "created_by IS NOT NULL", "created_by > 0"): (
        "index idx_users_created_by"
    ),
    ("trg_users_updated_at", "IS OLD.updated_at", "IS OLD.created_at"): (
        "trigger trg_users_updated_at"
    ),
    ("notes_search", "remove_diacritics 2", "remove_diacritics 1"): "table notes_search",
}

# Of what the built-in revisions make none.
THINGS = (
    "CREATE TABLE things (a INT, b INT AS (a * 2) STORED, c TEXT AS (lower('A')), name TEXT)",
    "CREATE VIEW few AS SELECT a FROM things WHERE a > 2",
    "CREATE INDEX idx_things ON things (lower(name))",
)
REWRITTEN_THINGS = {
    ("things", "a * 2", "a * 3"): "table things column b",
    ("things", "STORED", "VIRTUAL"): "table things column b",
    ("things", "lower('A')", "lower('a')"): "table things column c",
    ("things", "name TEXT)", "name TEXT) STRICT"): "table things",
    ("few", "a > 2", "a > 3"): "view few",
    ("few", "SELECT a", "SELECT b AS a"): "view few",
    ("idx_things", "lower(name)", "upper(name)"): "index idx_things",
}

ON_POSTGRESQL = {
    "ALTER TABLE test_cases ALTER case_key TYPE varchar(600)": "table test_cases column case_key",
    "ALTER TABLE test_cases ALTER case_key TYPE text": "table test_cases column case_key",
    "ALTER TABLE users ALTER username DROP NOT NULL": "table users column username",
    "ALTER TABLE users ALTER full_name SET NOT NULL": "table users column full_name",
    "ALTER TABLE users ALTER session_timeout_minutes SET DEFAULT 481": (
        "table users column session_timeout_minutes"
    ),
    "ALTER TABLE users ALTER is_active DROP DEFAULT": "table users column is_active",
    "ALTER TABLE users ALTER id SET GENERATED ALWAYS": "table users column id",
    "ALTER TABLE users ALTER id DROP IDENTITY": "table users column id",
    'ALTER TABLE test_cases ALTER case_key TYPE varchar(512) COLLATE "C"': (
        "table test_cases column case_key"
    ),
    "ALTER TABLE users ALTER full_name SET STORAGE EXTERNAL": "table users column full_name",
    "ALTER TABLE users ALTER full_name SET STATISTICS 7": "table users column full_name",
    "ALTER TABLE notes DROP COLUMN search_document": "table notes column search_document",
    "ALTER TABLE bugs DROP CONSTRAINT ck_bugs_severity_known": (
        "table bugs constraint ck_bugs_severity_known"
    ),
    "ALTER TABLE bugs DROP CONSTRAINT ck_bugs_severity_known, ADD CONSTRAINT"
    " ck_bugs_severity_known CHECK (severity IN ('low', 'medium', 'high', 'critical', 'grave'))": (
        "table bugs constraint ck_bugs_severity_known"
    ),
    "ALTER TABLE bugs DROP CONSTRAINT ck_bugs_severity_known, ADD CONSTRAINT"
    " ck_bugs_severity_known CHECK (severity IN ('low', 'medium', 'high', 'critical')) NOT VALID": (
        "table bugs constraint ck_bugs_severity_known"
    ),
    "ALTER TABLE bugs DROP CONSTRAINT fk_bugs_run_id, ADD CONSTRAINT fk_bugs_run_id"
    " FOREIGN KEY (run_id) REFERENCES test_runs (id) ON DELETE CASCADE": (
        "table bugs constraint fk_bugs_run_id"
    ),
    "ALTER TABLE bugs ALTER CONSTRAINT fk_bugs_run_id DEFERRABLE INITIALLY DEFERRED": (
        "table bugs constraint fk_bugs_run_id"
    ),
    "ALTER TABLE bugs DROP CONSTRAINT fk_bugs_run_id": "table bugs constraint fk_bugs_run_id",
    "ALTER TABLE orders DROP CONSTRAINT uq_orders_tenant_id_order_number": (
        "index uq_orders_tenant_id_order_number"
    ),
    "CREATE INDEX strays ON users USING hash (full_name)": "index strays",
    "CREATE INDEX strays ON users (full_name varchar_pattern_ops)": "index strays",
    "CREATE INDEX strays ON users (full_name) INCLUDE (email)": "index strays",
    "CREATE INDEX strays ON users (full_name NULLS FIRST)": "index strays",
    "DROP INDEX idx_notes_search_document": "index idx_notes_search_document",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid ="
    " 'idx_notes_search_document'::regclass": "index idx_notes_search_document",
    "ALTER INDEX idx_notes_search_document SET (fastupdate = off)": (
        "index idx_notes_search_document"
    ),
    "CLUSTER users USING pk_users": "index pk_users",
    "DROP TRIGGER trg_users_audit ON users": "table users trigger trg_users_audit",
    "ALTER TABLE users DISABLE TRIGGER trg_users_audit": "table users trigger trg_users_audit",
    "ALTER TABLE users ENABLE ALWAYS TRIGGER trg_users_audit": (
        "table users trigger trg_users_audit"
    ),
    "ALTER TABLE bugs DISABLE TRIGGER ALL": "table bugs trigger trg_bugs_audit",
    "CREATE OR REPLACE FUNCTION qadb_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NEW; END'": "function qadb_set_updated_at()",
    "ALTER FUNCTION qadb_write_audit_log() SECURITY INVOKER": "function qadb_write_audit_log()",
    "GRANT EXECUTE ON FUNCTION qadb_write_audit_log() TO PUBLIC": (
        "function qadb_write_audit_log()"
    ),
    "CREATE FUNCTION strays(x int) RETURNS int LANGUAGE sql AS 'SELECT x'": (
        "function strays(x integer)"
    ),
    "DROP POLICY tenant_isolation ON notes": "table notes policy tenant_isolation",
    "ALTER POLICY tenant_isolation ON notes USING (true)": "table notes policy tenant_isolation",
    "CREATE POLICY strays ON notes USING (true)": "table notes policy strays",
    "ALTER TABLE notes DISABLE ROW LEVEL SECURITY": "table notes",
    "ALTER TABLE notes FORCE ROW LEVEL SECURITY": "table notes",
    "ALTER SEQUENCE users_id_seq INCREMENT 2": "sequence users_id_seq",
    "CREATE SEQUENCE strays": "sequence strays",
    "COMMENT ON TABLE users IS 'people'": "comment on table users",
    "COMMENT ON COLUMN users.email IS 'address'": "comment on column email of table users",
    "ALTER TABLE users SET (fillfactor = 70)": "table users",
    "ALTER TABLE users SET (autovacuum_enabled = off)": "table users",
    "CREATE RULE strays AS ON DELETE TO notes DO INSTEAD NOTHING": "table notes rule strays",
    "CREATE STATISTICS strays ON email, full_name FROM users": "statistics strays",
    "CREATE TYPE strays AS ENUM ('a')": "type strays",
    "CREATE DOMAIN strays AS text": "type strays",
    "CREATE MATERIALIZED VIEW strays AS SELECT id FROM users": "view strays",
    'CREATE COLLATION strays FROM "C"': "collation strays",
    "ALTER TABLE users REPLICA IDENTITY FULL": "table users",
}
