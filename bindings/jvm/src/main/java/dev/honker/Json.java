package dev.honker;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and writes JSON: objects as Map, arrays as List, integers as Long, other numbers as BigDecimal. The package
 * has it so that an application brings the JSON library that it likes.
 */
final class Json {
    // Arguments of tasks come from other programs; deeper ones would end the stack.
    private static final int DEEPEST = 500;
    private static final int HEX = 16;
    private static final int UNICODE_DIGITS = 4;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.skipSpace();
        if (json.at < text.length()) {
            throw json.broken("the end");
        }
        return value;
    }

    /** The value of an argument. */
    static Object checked(String name, String text) {
        try {
            return parse(Arguments.required(name, text));
        } catch (IllegalArgumentException error) {
            throw new HonkerInvalidOptionException(name + ": " + error.getMessage(), error);
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        return (Map<String, Object>) parse(text);
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> objects(String text) {
        return (List<Map<String, Object>>) parse(text);
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw broken("at most " + DEEPEST + " levels");
        }
        skipSpace();
        switch (at < text.length() ? text.charAt(at) : 0) {
            case '{':
                return map(depth);
            case '[':
                return list(depth);
            case '"':
                return string();
            case 't':
                return literal("true", true);
            case 'f':
                return literal("false", false);
            case 'n':
                return literal("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> map(int depth) {
        Map<String, Object> values = new LinkedHashMap<>();
        at++;
        if (take('}')) {
            return values;
        }
        do {
            skipSpace();
            String name = string();
            expect(':');
            values.put(name, value(depth + 1));
        } while (take(','));
        expect('}');
        return values;
    }

    private List<Object> list(int depth) {
        List<Object> values = new ArrayList<>();
        at++;
        if (take(']')) {
            return values;
        }
        do {
            values.add(value(depth + 1));
        } while (take(','));
        expect(']');
        return values;
    }

    private Object literal(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw broken(word);
        }
        at += word.length();
        return value;
    }

    private Number number() {
        int from = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(from, at);
        try {
            return Long.valueOf(digits);
        } catch (NumberFormatException notWhole) {
            try {
                return new BigDecimal(digits);
            } catch (NumberFormatException error) {
                at = from;
                throw broken("a value");
            }
        }
    }

    private String string() {
        if (at >= text.length() || text.charAt(at) != '"') {
            throw broken("a string");
        }
        at++;
        StringBuilder out = new StringBuilder();
        while (true) {
            if (at >= text.length()) {
                throw broken("the end of a string");
            }
            char next = text.charAt(at++);
            if (next == '"') {
                return out.toString();
            }
            out.append(next == '\\' ? escape() : next);
        }
    }

    private char escape() {
        char kind = at < text.length() ? text.charAt(at++) : 0;
        return switch (kind) {
            case '"', '\\', '/' -> kind;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> unicode();
            default -> throw broken("an escape");
        };
    }

    private char unicode() {
        int end = at + UNICODE_DIGITS;
        if (end > text.length() || !text.substring(at, end).chars().allMatch(each -> Character.digit(each, HEX) >= 0)) {
            throw broken("four hexadecimal digits");
        }
        char found = (char) Integer.parseInt(text.substring(at, end), HEX);
        at = end;
        return found;
    }

    private boolean take(char wanted) {
        skipSpace();
        boolean isThere = at < text.length() && text.charAt(at) == wanted;
        if (isThere) {
            at++;
        }
        return isThere;
    }

    private void expect(char wanted) {
        if (!take(wanted)) {
            throw broken(String.valueOf(wanted));
        }
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private IllegalArgumentException broken(String wanted) {
        return new IllegalArgumentException("the text is no JSON: there is no " + wanted + " at character " + at);
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> map) {
            writeMap(map, out);
        } else if (value instanceof List<?> list) {
            char before = '[';
            for (Object each : list) {
                out.append(before);
                write(each, out);
                before = ',';
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else if (value instanceof String string) {
            writeString(string, out);
        } else {
            out.append(value); // a number, a boolean or null
        }
    }

    private static void writeMap(Map<?, ?> map, StringBuilder out) {
        char before = '{';
        for (Map.Entry<?, ?> each : map.entrySet()) {
            out.append(before);
            writeString((String) each.getKey(), out);
            out.append(':');
            write(each.getValue(), out);
            before = ',';
        }
        out.append(map.isEmpty() ? "{}" : "}");
    }

    private static void writeString(String string, StringBuilder out) {
        out.append('"');
        for (int index = 0; index < string.length(); index++) {
            char each = string.charAt(index);
            if (each == '"' || each == '\\') {
                out.append('\\').append(each);
            } else if (each < ' ') {
                out.append(String.format("\\u%04x", (int) each));
            } else {
                out.append(each);
            }
        }
        out.append('"');
    }
}
