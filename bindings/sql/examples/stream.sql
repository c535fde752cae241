-- A stream of events, and a consumer that goes on where it stopped.
.load ./libhonker_ext
SELECT honker_bootstrap();

SELECT honker_stream_publish('orders', 'ann', '{"number":1}');
SELECT honker_stream_publish('orders', NULL, '{"number":2}');

-- Read after the saved offset of the consumer "mailer": up to 100 events.
SELECT value ->> 'offset', value ->> 'key', (value ->> 'payload') ->> 'number'
FROM json_each(honker_stream_read_since('orders', honker_stream_get_offset('mailer', 'orders'), 100));

-- Save the offset after the events were processed, so that a crash repeats them instead of losing them. To process them in
-- this file exactly once, save it in the transaction that stores the outcome.
SELECT honker_stream_save_offset('mailer', 'orders', 2);
SELECT honker_stream_read_since('orders', honker_stream_get_offset('mailer', 'orders'), 100);
