//! Logarithms without floating point: `core` has none of its functions, and integers are the same on every machine.

use base::Duration;

/// One, in the fixed point used here.
const ONE: u64 = 1 << 16;
/// `log2(10)` in fixed point.
const LOG2_OF_10: u64 = 217_706;

/// `log2(number)` with 16 binary places; 0 for 0 and 1.
pub(crate) fn log2(number: u64) -> u64 {
    let Some(whole) = number.checked_ilog2() else { return 0 };
    let mut result = u64::from(whole) * ONE;
    // The rest is between 1 and 2, kept with 31 places; each squaring yields one binary place of its logarithm.
    let mut rest = if whole <= 31 { number << (31 - whole) } else { number >> (whole - 31) };
    let mut place = ONE / 2;
    while place > 0 {
        rest = (rest * rest) >> 31;
        if rest >= 1 << 32 {
            rest >>= 1;
            result += place;
        }
        place /= 2;
    }
    result
}

/// `duration · max(1, log10(number))`.
pub(crate) fn scale_by_log10(duration: Duration, number: usize) -> Duration {
    let log10 = (log2(number as u64) * ONE / LOG2_OF_10).max(ONE);
    multiply(duration, log10, ONE)
}

/// `duration · numerator / denominator`; the longest duration of 64 bits of nanoseconds if that overflows.
pub(crate) fn multiply(duration: Duration, numerator: u64, denominator: u64) -> Duration {
    let nanos = duration.as_nanos() * u128::from(numerator) / u128::from(denominator);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// `ceil(log10(number + 1))`: how many decimal digits the number has; 1 for 0.
pub(crate) fn digits(number: usize) -> u32 {
    number.checked_ilog10().unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_floating_point() {
        for number in (1..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let exact = (number as f64).log2() * ONE as f64;
            let found = log2(number) as f64;
            assert!((exact - found).abs() < 4.0, "log2({number}): {found} for {exact}");
        }
        for number in 1..5000 {
            let exact = f64::from(number + 1).log10().ceil() as u32;
            assert_eq!(digits(number as usize), exact, "{number}");
        }
    }
}
