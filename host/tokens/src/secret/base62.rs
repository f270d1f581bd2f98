//! Base 62: digits, capitals, small letters, in the order of their bytes.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes from here on are thrown away: 248 is the largest multiple of 62 in a byte, and a digit that was
/// more likely than another would be worth less than it seems.
const FAIR_BYTES: u8 = 248;

/// The digit of a random byte, where the byte gives a fair one.
pub(super) fn fair_digit(byte: u8) -> Option<char> {
    if byte >= FAIR_BYTES {
        return None;
    }
    DIGITS.get(usize::from(byte % 62)).map(|digit| char::from(*digit))
}

/// A number in this many digits, the most significant first.
pub(super) fn number<const WIDTH: usize>(mut number: u32) -> [u8; WIDTH] {
    let mut digits = [b'0'; WIDTH];
    for place in digits.iter_mut().rev() {
        let digit = usize::try_from(number % 62).unwrap_or(0);
        *place = DIGITS.get(digit).copied().unwrap_or(b'0');
        number /= 62;
    }
    digits
}

/// Whether every byte is a digit.
pub(super) fn is_base62(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |fits, byte| fits & byte.is_ascii_alphanumeric())
}
