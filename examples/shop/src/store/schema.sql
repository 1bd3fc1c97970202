-- What a shop keeps. Times are microseconds since 1970-01-01T00:00:00Z.

-- The last stamp given to a change. Stamps only grow and no two are equal, so
-- "changed after this page was read" is a comparison of numbers.
CREATE TABLE IF NOT EXISTS clock (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    stamp INTEGER NOT NULL
);
INSERT OR IGNORE INTO clock VALUES (1, 0);

CREATE TABLE IF NOT EXISTS customers (
    id       TEXT PRIMARY KEY,
    document BLOB NOT NULL                 -- shop.v1.Customer
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS stock (
    sku      TEXT PRIMARY KEY,
    on_hand  INTEGER NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand),
    document BLOB NOT NULL                 -- shop.v1.Stock, but what the columns hold
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS links (
    id         INTEGER PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    url        TEXT NOT NULL,
    visits     INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
);

-- An order is read and written whole: what the listing filters by, sorts by or
-- shows is a column, the rest one document. WITHOUT ROWID, because SQLite seeks
-- to (updated_at, id) in an index only if id is a column and not the row's number.
CREATE TABLE IF NOT EXISTS orders (
    id         INTEGER PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    status     INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    customer   TEXT NOT NULL,
    total      INTEGER NOT NULL,           -- minor units
    item_count INTEGER NOT NULL,
    document   BLOB NOT NULL               -- shop.v1.Order, but what the columns hold
) WITHOUT ROWID;

-- The listing reads these and never the table: with a status, and without.
CREATE INDEX IF NOT EXISTS orders_by_status
    ON orders (tenant_id, status, updated_at, id, customer, total, item_count);
CREATE INDEX IF NOT EXISTS orders_by_tenant
    ON orders (tenant_id, updated_at, id, status, customer, total, item_count);

-- Every move of an order from one place of the listing to a later one, by the
-- stamp of the move. A reader catches up here with what moved between its pages.
CREATE TABLE IF NOT EXISTS order_moves (
    tenant_id       TEXT NOT NULL,
    moved_at        INTEGER NOT NULL,
    order_id        INTEGER NOT NULL,
    from_updated_at INTEGER NOT NULL,
    from_status     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, moved_at, order_id)
) WITHOUT ROWID;

-- The listing's guarantee hangs on these two, so no code path can forget them.
CREATE TRIGGER IF NOT EXISTS orders_move_forward BEFORE UPDATE ON orders
WHEN NEW.updated_at <= OLD.updated_at OR NEW.tenant_id <> OLD.tenant_id OR NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'an order changes only by moving forward within its tenant');
END;
CREATE TRIGGER IF NOT EXISTS orders_move_is_logged AFTER UPDATE ON orders
BEGIN
    INSERT INTO order_moves
    VALUES (OLD.tenant_id, NEW.updated_at, OLD.id, OLD.updated_at, OLD.status);
END;

-- The log is kept for a day. How far a tenant's log is cut tells which readers
-- can no longer catch up.
CREATE TABLE IF NOT EXISTS order_moves_cut (
    tenant_id TEXT PRIMARY KEY,
    through   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS order_moves_are_cut AFTER INSERT ON order_moves
WHEN EXISTS (
    SELECT 1 FROM order_moves
    WHERE tenant_id = NEW.tenant_id AND moved_at < NEW.moved_at - 86400000000
)
BEGIN
    INSERT INTO order_moves_cut
    SELECT NEW.tenant_id, max(moved_at) FROM order_moves
    WHERE tenant_id = NEW.tenant_id AND moved_at < NEW.moved_at - 86400000000
    ON CONFLICT (tenant_id) DO UPDATE SET through = excluded.through;
    DELETE FROM order_moves
    WHERE tenant_id = NEW.tenant_id AND moved_at < NEW.moved_at - 86400000000;
END;

-- What was answered to a request with an idempotency key, so that it is answered
-- the same again. Kept for a day.
CREATE TABLE IF NOT EXISTS answered (
    method  TEXT NOT NULL,
    key     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    request BLOB NOT NULL,
    answer  BLOB NOT NULL,
    PRIMARY KEY (method, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered_by_age ON answered (at);
CREATE TRIGGER IF NOT EXISTS answered_is_cut AFTER INSERT ON answered
BEGIN
    DELETE FROM answered WHERE at < NEW.at - 86400000000;
END;

CREATE TABLE IF NOT EXISTS charges (
    id       INTEGER PRIMARY KEY,
    document BLOB NOT NULL                 -- shop.v1.Charge
);

CREATE TABLE IF NOT EXISTS shipments (
    id       INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    document BLOB NOT NULL                 -- shop.v1.Shipment, but what the columns hold
);

-- One parcel for an order, unless it was cancelled (3).
CREATE UNIQUE INDEX IF NOT EXISTS shipments_by_order ON shipments (order_id) WHERE status <> 3;
