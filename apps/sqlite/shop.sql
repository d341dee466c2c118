-- A small shop in a file database, with the journal that SQLite uses unless told otherwise. Everything printed is compared with
-- what app.yaml expects, so the script has no clock and no randomness.
.mode list
.separator ,
.headers off

CREATE TABLE customer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    town TEXT NOT NULL
);
CREATE TABLE product (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    price INTEGER NOT NULL CHECK (price > 0)
);
CREATE TABLE purchase (
    id INTEGER PRIMARY KEY,
    customer INTEGER NOT NULL REFERENCES customer (id),
    product INTEGER NOT NULL REFERENCES product (id),
    amount INTEGER NOT NULL,
    day INTEGER NOT NULL
);
PRAGMA foreign_keys = ON;

BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO customer SELECT i, 'customer-' || i, CASE i % 4 WHEN 0 THEN 'Oslo' WHEN 1 THEN 'Porto' WHEN 2 THEN 'Graz' ELSE 'Brno' END FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO product SELECT i, 'product-' || i, 100 + i * 37 % 900 FROM n;
COMMIT;

BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO purchase SELECT i, 1 + i * 7919 % 200, 1 + i * 104729 % 50, 1 + i % 5, i % 365 FROM n;
COMMIT;

CREATE INDEX purchase_by_customer ON purchase (customer, day);
CREATE INDEX purchase_by_product ON purchase (product);
ANALYZE;

SELECT 'rows', (SELECT count(*) FROM customer), (SELECT count(*) FROM product), (SELECT count(*) FROM purchase);

-- A transaction that is taken back leaves nothing.
BEGIN;
DELETE FROM purchase WHERE day < 180;
UPDATE product SET price = price + 1;
SELECT 'before rollback', count(*) FROM purchase;
ROLLBACK;
SELECT 'after rollback', count(*), (SELECT sum(price) FROM product) FROM purchase;

-- Several small transactions, each with a journal of its own.
UPDATE product SET price = price * 2 WHERE id % 10 = 0;
DELETE FROM purchase WHERE id % 100 = 99;
INSERT INTO customer (name, town) VALUES ('the last one', 'Graz');
SAVEPOINT half;
INSERT INTO customer (name, town) VALUES ('never seen', 'Oslo');
ROLLBACK TO half;
RELEASE half;

-- Join, group, sort: more than the page cache holds has to go through a temporary file.
PRAGMA temp_store = FILE;
PRAGMA cache_size = 20;
SELECT 'revenue', town, count(*), sum(amount * price)
FROM purchase JOIN customer ON customer.id = purchase.customer JOIN product ON product.id = purchase.product
GROUP BY town ORDER BY 4 DESC;

SELECT 'best', place, name, revenue FROM (
    SELECT product.name, sum(amount * price) AS revenue, rank() OVER (ORDER BY sum(amount * price) DESC, product.id) AS place
    FROM purchase JOIN product ON product.id = purchase.product
    GROUP BY product.id
) WHERE place <= 3 ORDER BY place;

SELECT 'running total', day, total FROM (
    SELECT day, sum(sum(amount)) OVER (ORDER BY day) AS total FROM purchase GROUP BY day
) WHERE day % 100 = 0 ORDER BY day;

CREATE TEMPORARY TABLE sorted AS SELECT id, amount * 31 % 17 AS rank FROM purchase ORDER BY rank, day DESC, id;
SELECT 'sorted', count(*), sum(rowid * rank % 1000), sum(rowid * id % 1000) FROM sorted;

VACUUM;

-- What is in the file now, seen by a connection that knows nothing of the one before.
.open shop.db
SELECT 'reopened', (SELECT count(*) FROM customer), (SELECT sum(price) FROM product), count(*), sum(id * amount % 1000) FROM purchase;
SELECT 'newest', name, town FROM customer ORDER BY id DESC LIMIT 1;
SELECT 'by index', count(*), sum(day) FROM purchase INDEXED BY purchase_by_customer WHERE customer = 42;
PRAGMA foreign_key_check;
PRAGMA integrity_check;
