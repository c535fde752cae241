const { invalid } = require('./errors.js');

/** Encode a payload as JSON text. `undefined` is null, as inside an array. */
function encode(payload) {
  let text;
  try {
    text = JSON.stringify(payload === undefined ? null : payload);
  } catch (error) {
    throw invalid(`the payload has no JSON form: ${error.message}`, error);
  }
  if (text === undefined) throw invalid(`the payload is a ${typeof payload}, which has no JSON form`);
  return text;
}

/** Convert an argument of a function of honker. Drivers bind numbers as REAL, so whole ones become BigInt. */
function bind(value) {
  switch (typeof value) {
    case 'number':
      if (Number.isNaN(value)) throw invalid('an argument is NaN; it must be a number');
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'boolean':
      return value ? 1n : 0n;
    case 'undefined':
      return null;
    default:
      return value;
  }
}

/** Convert a parameter of the application's SQL: as `bind`, and plain objects and arrays become JSON text. */
function bindParameter(value) {
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return bind(value);
  return encode(value);
}

/** Convert a row for the application: integers become numbers where they fit, and BLOBs hex text. */
function plainRow(row) {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

function plain(value) {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  return value;
}

function isSafe(value) {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** Encode options as the JSON object that a function takes; those that are undefined are left out. */
function encodeOptions(options) {
  return JSON.stringify(options, (name, value) => {
    if (typeof value === 'number' && !Number.isFinite(value)) throw invalid(`${name} is ${value}; it must be finite`);
    return typeof value === 'bigint' ? Number(value) : value;
  });
}

module.exports = { bind, bindParameter, encode, encodeOptions, plain, plainRow };
