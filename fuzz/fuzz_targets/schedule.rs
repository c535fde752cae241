#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| honker_fuzz::schedule::run(data));
