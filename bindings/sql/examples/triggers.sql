-- A trigger that enqueues: every program that inserts an order, in any language, adds its job.
.load ./libhonker_ext
SELECT honker_bootstrap();
CREATE TABLE orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL);
CREATE TRIGGER orders_invoice AFTER INSERT ON orders
BEGIN
    SELECT honker_enqueue('invoices', json_object('order', new.number, 'customer', new.customer), '{}');
END;

INSERT INTO orders VALUES (1, 'ann'), (2, 'bob');
-- A row that is refused adds no job.
INSERT OR IGNORE INTO orders VALUES (2, 'eve');
SELECT (value ->> 'payload') FROM json_each(honker_claim_batch('invoices', 'w1', 10, 60));
