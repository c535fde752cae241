package dev.honker;

import java.util.Collections;
import java.util.Map;

/** A row of a query. Integers are Long, reals Double, texts String, blobs byte[]. */
public final class Row {
    private final Map<String, Object> values;

    Row(Map<String, Object> values) {
        this.values = Collections.unmodifiableMap(values);
    }

    /**
     * The value of a column.
     *
     * @param column the name
     * @return the value, or null
     * @throws HonkerInvalidOptionException if there is no such column
     */
    public Object get(String column) {
        if (!values.containsKey(column)) {
            throw new HonkerInvalidOptionException("column is " + column + "; the row has " + values.keySet());
        }
        return values.get(column);
    }

    /**
     * The value of a column as text.
     *
     * @param column the name
     * @return the text, or null
     */
    public String getString(String column) {
        Object value = get(column);
        return value == null ? null : value.toString();
    }

    /**
     * The value of a column as an integer.
     *
     * @param column the name
     * @return the integer; 0 for NULL, as JDBC has it
     */
    public long getLong(String column) {
        Object value = get(column);
        if (value == null) {
            return 0;
        }
        if (value instanceof Number number) {
            return number.longValue();
        }
        throw new HonkerInvalidOptionException("column " + column + " is no number");
    }

    /**
     * The value of a column as an integer of 32 bits.
     *
     * @param column the name
     * @return the integer; 0 for NULL, as JDBC has it
     */
    public int getInt(String column) {
        return Math.toIntExact(getLong(column));
    }

    /**
     * The value of a column as a boolean.
     *
     * @param column the name
     * @return true if the integer is not 0
     */
    public boolean getBoolean(String column) {
        return getLong(column) != 0;
    }

    /**
     * True if the value of a column is NULL.
     *
     * @param column the name
     * @return true for NULL
     */
    public boolean isNull(String column) {
        return get(column) == null;
    }

    /**
     * The values by column, in the order of the query.
     *
     * @return the values, which cannot be changed
     */
    public Map<String, Object> asMap() {
        return values;
    }

    @Override
    public String toString() {
        return values.toString();
    }
}
