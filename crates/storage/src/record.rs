//! A checksum around every value: redb verifies its pages only when asked to, and a flipped bit must be found, never served.

use crate::Error;
use crc32fast::Hasher;

/// Bytes that the checksum adds to a value.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// The checksum covers the key as well, so that an intact value under a wrong key is found, too.
fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = Hasher::new();
    // The length keeps (key "ab", value "c") apart from (key "a", value "bc").
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

pub(crate) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    sealed.extend(checksum(key, value));
    sealed.extend(value);
    sealed
}

pub(crate) fn unseal(file: &'static str, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    match sealed.split_first_chunk() {
        Some((sum, value)) if *sum == checksum(key, value) => Ok(value.to_vec()),
        _ => {
            Err(Error::corrupt(file, format_args!("checksum of the record {}", key.escape_ascii())))
        }
    }
}

pub(crate) fn read_u64(file: &'static str, name: &str, bytes: &[u8]) -> Result<u64, Error> {
    let bytes =
        bytes.try_into().map_err(|_| Error::corrupt(file, format_args!("length of {name}")))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sealed_value_reads_back_and_any_flipped_bit_is_found(
            key: Vec<u8>, value: Vec<u8>, at: usize, bit in 0_u8..8
        ) {
            let mut sealed = seal(&key, &value);
            prop_assert_eq!(unseal("f", &key, &sealed), Ok(value));
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(unseal("f", &key, &sealed).is_err());
        }

        #[test]
        fn a_value_under_another_key_is_found(key: Vec<u8>, other: Vec<u8>, value: Vec<u8>) {
            prop_assume!(key != other);
            prop_assert!(unseal("f", &other, &seal(&key, &value)).is_err());
        }
    }
}
