//! The validity of a certificate, read without a library: three nested DER sequences and two times.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// From when and until when the first certificate of a PEM text is valid.
pub(crate) fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let der = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    let (certificate, _) = element(&der, 0x30)?;
    let (mut body, _) = element(certificate, 0x30)?;
    // Version is optional and tagged [0]; serial number, algorithm and issuer come before the validity.
    if body.first() == Some(&0xA0) {
        body = any(body)?.2;
    }
    for _ in 0..3 {
        body = any(body)?.2;
    }
    let (validity, _) = element(body, 0x30)?;
    let (tag, from, rest) = any(validity)?;
    let from = time(tag, from)?;
    let (tag, until, _) = any(rest)?;
    Some((from, time(tag, until)?))
}

/// The element at the start: tag, content, what follows.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7F);
        if digits > 4 || digits > rest.len() {
            return None;
        }
        let (length, rest) = rest.split_at(digits);
        (length.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b)), rest)
    };
    (length <= rest.len()).then(|| (tag, &rest[..length], &rest[length..]))
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// UTCTime (two digits of the year, 1950 to 2049) or GeneralizedTime (four), both `…MMDDhhmmssZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let number = |at: usize, n: usize| text.get(at..at + n)?.parse::<i16>().ok();
    let (year, rest) = match tag {
        0x17 => (number(0, 2).map(|y| if y >= 50 { 1900 + y } else { 2000 + y })?, 2),
        0x18 => (number(0, 4)?, 4),
        _ => return None,
    };
    let part = |i: usize| number(rest + 2 * i, 2).and_then(|n| i8::try_from(n).ok());
    let civil = DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::validity;

    #[test]
    fn the_validity_of_a_certificate_is_read_from_its_pem() {
        let mut parameters = rcgen::CertificateParams::new(vec!["kube".into()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 2);
        parameters.not_after = rcgen::date_time_ymd(2051, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        let (from, until) = validity(pem.as_bytes()).unwrap();
        assert_eq!(from.to_string(), "2020-01-02T00:00:00Z");
        assert_eq!(until.to_string(), "2051-03-04T00:00:00Z");
        assert_eq!(validity(b"no certificate"), None);
        assert_eq!(validity(b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"), None);
    }
}
