//! Amounts in minor units with their currency. Never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency by its ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Active ISO 4217 codes of currencies that people pay with (no metals, funds or test codes).
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD \
    BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES \
    KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR \
    MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB \
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD \
    TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Those of them without parts.
const WHOLE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
/// Those of them with a thousand parts.
const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// The text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an active ISO 4217 currency code")]
pub struct UnknownCurrency;

impl Currency {
    /// Reads a code of three upper-case letters.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        let known = CODES.split_ascii_whitespace().any(|known| known == code);
        if known { Ok(Self(bytes)) } else { Err(UnknownCurrency) }
    }

    /// Digits behind the point, by ISO 4217: cents of a euro are two, and a yen has no parts.
    pub fn decimals(&self) -> usize {
        if WHOLE.split_ascii_whitespace().any(|code| code == self.code()) {
            0
        } else if THOUSANDTHS.split_ascii_whitespace().any(|code| code == self.code()) {
            3
        } else {
            2
        }
    }

    /// The code.
    pub fn code(&self) -> &str {
        // Only ASCII letters pass `parse`.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount that is not negative: `minor` counts the currency's smallest unit (cents of a euro).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Money {
    /// How many minor units.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
    pub minor: u64,
    /// Of which currency.
    pub currency: Currency,
}

/// The largest amount: what a JSON number carries exactly (RFC 8259, section 6), 2^53 − 1.
pub const MINOR_MAX: u64 = (1 << 53) - 1;

/// The amount cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the amount is above 9007199254740991 minor units")]
pub struct AmountTooLarge;

impl Money {
    /// An amount of at most [`MINOR_MAX`] minor units.
    pub fn new(minor: u64, currency: Currency) -> Result<Self, AmountTooLarge> {
        if minor > MINOR_MAX { Err(AmountTooLarge) } else { Ok(Self { minor, currency }) }
    }
}

/// In plain English: `90.50 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minor, currency } = self;
        let decimals = currency.decimals();
        let parts = 10_u64.pow(decimals as u32);
        write!(f, "{}", minor / parts)?;
        if decimals > 0 {
            write!(f, ".{:0decimals$}", minor % parts)?;
        }
        write!(f, " {}", currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_with_the_parts_their_currency_has() {
        for (minor, code, text) in [
            (9_050, "EUR", "90.50 EUR"),
            (5, "USD", "0.05 USD"),
            (9_050, "JPY", "9050 JPY"),
            (9_050, "KWD", "9.050 KWD"),
        ] {
            let currency = Currency::parse(code).expect("a currency");
            assert_eq!(Money { minor, currency }.to_string(), text);
        }
    }

    #[test]
    fn currencies_are_iso_codes() {
        assert_eq!(Currency::parse("EUR").map(String::from), Ok("EUR".to_owned()));
        for wrong in ["eur", "EU", "EURO", "XXX", "ABC", "E R", "", "€"] {
            assert_eq!(Currency::parse(wrong), Err(UnknownCurrency), "{wrong}");
        }
    }

    #[test]
    fn amounts_stay_exact_in_json() {
        let eur = Currency::parse("EUR").expect("a currency");
        assert!(Money::new(MINOR_MAX, eur).is_ok());
        assert_eq!(Money::new(MINOR_MAX + 1, eur), Err(AmountTooLarge));
    }
}
