//! Numbers that states give to persons: how each is made up, and its check digits.
//!
//! A scheme is a row of fields; what is no check digit can be counted, so that the same table tells valid numbers from others
//! and lets the pseudonyms be a permutation of all valid ones. Of the sources the most telling: each state's own description,
//! as collected with test values by [python-stdnum](https://arthurdejong.org/python-stdnum/).

use super::luhn_sum;

/// A part of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// So many digits.
    Digits(u8),
    /// A number of that width within bounds.
    Range(u8, u32, u32),
    /// A day.
    Date(Date),
    /// So many letters.
    Letters(u8),
    /// One of these characters.
    One(&'static [u8]),
    /// So many characters that follow from the others.
    Check(u8),
}

/// How a day is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Date {
    /// Two digits of the year, 1930 to 2029.
    Ymd,
    /// The same from the day on.
    Dmy,
    /// Four digits of the year, 1900 to 2029.
    FullYmd,
    /// Poland's: from 2000 on twenty is added to the month.
    Pesel,
}

/// How the numbers of one state are made.
pub(crate) struct Scheme {
    /// Country and name.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
    /// Writes the check characters; false when there are none for the rest, or the whole is ruled out. Gets as many bytes as
    /// the fields say.
    pub(crate) repair: fn(&mut [u8]) -> bool,
    /// The writings in which it is found by its form alone: `#` a digit, `A` a letter, `*` either, the rest as it is.
    forms: &'static [&'static str],
}

/// The strictest first: a number that fits several is of the first.
pub(crate) const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "CN resident identity card",
        fields: &[
            Field::Range(2, 11, 82),
            Field::Digits(4),
            Field::Date(Date::FullYmd),
            Field::Digits(3),
            Field::Check(1),
        ],
        repair: check::chinese,
        forms: &["#################*"],
    },
    Scheme {
        name: "FR numéro de sécurité sociale",
        fields: &[
            Field::Range(1, 1, 2),
            Field::Digits(2),
            Field::Range(2, 1, 12),
            Field::Range(2, 1, 99),
            Field::Digits(6),
            Field::Check(2),
        ],
        repair: check::french,
        forms: &["###############", "# ## ## ## ### ### ##", "# ## ## ## ### ###-##"],
    },
    Scheme {
        name: "CH AHV",
        fields: &[Field::Range(3, 756, 756), Field::Digits(9), Field::Check(1)],
        repair: check::ean,
        forms: &["###.####.####.##", "#############"],
    },
    Scheme {
        name: "ZA identity number",
        fields: &[
            Field::Date(Date::Ymd),
            Field::Digits(4),
            Field::Range(1, 0, 1),
            Field::Range(1, 8, 9),
            Field::Check(1),
        ],
        repair: check::luhn,
        forms: &["#############"],
    },
    Scheme {
        name: "BR CNPJ",
        fields: &[Field::Digits(12), Field::Check(2)],
        repair: check::cnpj,
        forms: &["##.###.###/####-##"],
    },
    Scheme {
        name: "NO fødselsnummer",
        fields: &[Field::Date(Date::Dmy), Field::Digits(3), Field::Check(2)],
        repair: check::norwegian,
        forms: &["###########", "###### #####"],
    },
    Scheme {
        name: "BE rijksregisternummer",
        fields: &[Field::Date(Date::Ymd), Field::Digits(3), Field::Check(2)],
        repair: check::belgian,
        forms: &["###########", "##.##.##-###.##"],
    },
    Scheme {
        name: "BR CPF",
        fields: &[Field::Digits(9), Field::Check(2)],
        repair: check::cpf,
        forms: &["###.###.###-##", "###########"],
    },
    Scheme {
        name: "TR kimlik numarası",
        fields: &[Field::Range(1, 1, 9), Field::Digits(8), Field::Check(2)],
        repair: check::turkish,
        forms: &["###########"],
    },
    Scheme {
        name: "PL PESEL",
        fields: &[Field::Date(Date::Pesel), Field::Digits(4), Field::Check(1)],
        repair: check::pesel,
        forms: &["###########"],
    },
    Scheme {
        name: "DE Steuer-ID",
        fields: &[Field::Range(1, 1, 9), Field::Digits(9), Field::Check(1)],
        repair: check::german,
        forms: &[],
    },
    Scheme {
        name: "SE personnummer, with the century",
        fields: &[Field::Date(Date::FullYmd), Field::Digits(3), Field::Check(1)],
        repair: check::swedish,
        forms: &["########-####", "############"],
    },
    Scheme {
        name: "IN Aadhaar",
        fields: &[Field::Range(1, 2, 9), Field::Digits(10), Field::Check(1)],
        repair: check::verhoeff,
        forms: &["############", "#### #### ####", "####-####-####"],
    },
    Scheme {
        name: "SE personnummer",
        fields: &[Field::Date(Date::Ymd), Field::Digits(3), Field::Check(1)],
        repair: check::luhn,
        forms: &["######-####", "######+####"],
    },
    Scheme { name: "NL BSN", fields: &[Field::Digits(8), Field::Check(1)], repair: check::dutch, forms: &[] },
    Scheme {
        name: "AU tax file number",
        fields: &[Field::Digits(8), Field::Check(1)],
        repair: check::australian,
        forms: &[],
    },
    Scheme {
        name: "CA social insurance number",
        fields: &[Field::Range(1, 1, 9), Field::Digits(7), Field::Check(1)],
        repair: check::luhn,
        forms: &[],
    },
    SSN,
    ITALIAN,
    Scheme {
        name: "ES DNI",
        fields: &[Field::Digits(8), Field::Check(1)],
        repair: check::spanish,
        forms: &["########A", "########-A"],
    },
    Scheme {
        name: "ES NIE",
        fields: &[Field::One(b"XYZ"), Field::Digits(7), Field::Check(1)],
        repair: check::spanish,
        forms: &["A#######A", "A-#######-A"],
    },
    Scheme {
        name: "FI henkilötunnus",
        fields: &[
            Field::Date(Date::Dmy),
            Field::One(b"-+ABCDEFYXWVU"),
            Field::Range(3, 2, 899),
            Field::Check(1),
        ],
        repair: check::finnish,
        forms: &["######-###*", "######+###*", "######A###*"],
    },
    Scheme {
        name: "GB national insurance number",
        fields: &[Field::Letters(2), Field::Digits(6), Field::One(b"ABCD")],
        repair: check::british,
        forms: &[],
    },
];

/// The United States' social security number: no check digits, so found with its dashes only.
/// [SSA, POMS RM 10201.035](https://secure.ssa.gov/poms.nsf/lnx/0110201035).
pub(crate) const SSN: Scheme = Scheme {
    name: "US SSN",
    fields: &[Field::Range(3, 1, 899), Field::Range(2, 1, 99), Field::Range(4, 1, 9999)],
    repair: |number| !number.starts_with(b"666"),
    forms: &[],
};

/// Six letters of the names, year, month and day of birth, place, a check letter.
const ITALIAN: Scheme = Scheme {
    name: "IT codice fiscale",
    fields: &[
        Field::Letters(6),
        Field::Digits(2),
        Field::One(b"ABCDEHLMPRST"),
        Field::Range(2, 1, 71),
        Field::Letters(1),
        Field::Digits(3),
        Field::Check(1),
    ],
    repair: check::italian,
    forms: &["AAAAAA##A##A###A"],
};

/// How social security numbers are written.
const SSN_FORM: &str = "###-##-####";

impl Date {
    /// How many digits.
    pub(crate) fn width(self) -> usize {
        if self == Date::FullYmd { 8 } else { 6 }
    }

    /// First day and last, in days since 1970-01-01.
    pub(crate) fn span(self) -> (i64, i64) {
        use crate::pseudonym::days_from_civil;
        let first = if matches!(self, Date::Ymd | Date::Dmy) { 1930 } else { 1900 };
        (days_from_civil(first, 1, 1), days_from_civil(2030, 1, 1) - 1)
    }

    /// The day that is written there; `None` when there is none.
    pub(crate) fn read(self, text: &[u8]) -> Option<i64> {
        use crate::pseudonym::{civil_from_days, days_from_civil};
        let number = |from: usize, to: usize| text.get(from..to).and_then(value).map(i64::from);
        let century = |year: i64| if year < 30 { 2000 + year } else { 1900 + year };
        let (year, month, day) = match self {
            Date::Ymd => (century(number(0, 2)?), number(2, 4)?, number(4, 6)?),
            Date::Dmy => (century(number(4, 6)?), number(2, 4)?, number(0, 2)?),
            Date::FullYmd => (number(0, 4)?, number(4, 6)?, number(6, 8)?),
            Date::Pesel => match (number(0, 2)?, number(2, 4)?, number(4, 6)?) {
                (year, month @ 21..=32, day) => (2000 + year, month - 20, day),
                (year, month, day) => (1900 + year, month, day),
            },
        };
        if !(1..=12).contains(&month) {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let (first, last) = self.span();
        // Only days that exist come back as they were.
        (civil_from_days(days) == (year, month, day) && (first..=last).contains(&days)).then_some(days)
    }

    /// The day as it is written.
    pub(crate) fn write(self, days: i64) -> Vec<u8> {
        let (year, month, day) = crate::pseudonym::civil_from_days(days);
        let short = year % 100;
        match self {
            Date::Ymd => format!("{short:02}{month:02}{day:02}"),
            Date::Dmy => format!("{day:02}{month:02}{short:02}"),
            Date::FullYmd => format!("{year:04}{month:02}{day:02}"),
            Date::Pesel => format!("{short:02}{:02}{day:02}", if year < 2000 { month } else { month + 20 }),
        }
        .into_bytes()
    }
}

impl Field {
    /// How many characters.
    pub(crate) fn width(self) -> usize {
        match self {
            Field::Digits(n) | Field::Range(n, ..) | Field::Letters(n) | Field::Check(n) => usize::from(n),
            Field::Date(date) => date.width(),
            Field::One(_) => 1,
        }
    }

    fn fits(self, text: &[u8]) -> bool {
        match self {
            Field::Digits(_) => text.iter().all(u8::is_ascii_digit),
            Field::Range(_, low, high) => value(text).is_some_and(|v| (low..=high).contains(&v)),
            Field::Date(date) => date.read(text).is_some(),
            Field::Letters(_) => text.iter().all(u8::is_ascii_uppercase),
            Field::One(set) => text.first().is_some_and(|b| set.contains(b)),
            Field::Check(_) => text.iter().all(u8::is_ascii_alphanumeric),
        }
    }
}

impl Scheme {
    /// How many characters, without separators.
    pub(crate) fn width(&self) -> usize {
        self.fields.iter().map(|f| f.width()).sum()
    }

    /// Whether these characters, letters in upper case and no separators among them, are such a number.
    pub(crate) fn is_valid(&self, compact: &[u8]) -> bool {
        let mut at = 0;
        for field in self.fields {
            let end = at + field.width();
            if !compact.get(at..end).is_some_and(|text| field.fits(text)) {
                return false;
            }
            at = end;
        }
        let mut repaired = [0; 24];
        at == compact.len()
            && repaired.get_mut(..at).is_some_and(|copy| {
                copy.copy_from_slice(compact);
                (self.repair)(copy) && copy == compact
            })
    }
}

/// A number of digits only.
pub(crate) fn value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, b| {
        b.is_ascii_digit().then(|| n.checked_mul(10)?.checked_add(u32::from(b - b'0'))).flatten()
    })
}

/// The first scheme that such characters fit.
pub(crate) fn scheme_of(compact: &[u8]) -> Option<(usize, &'static Scheme)> {
    SCHEMES.iter().enumerate().find(|(_, s)| s.width() == compact.len() && s.is_valid(compact))
}

/// The first two schemes that such characters fit.
pub(crate) fn schemes_of(compact: &[u8]) -> [Option<usize>; 2] {
    let fits = |s: &Scheme| s.width() == compact.len() && s.is_valid(compact);
    let mut all = SCHEMES.iter().enumerate().filter(|(_, s)| fits(s)).map(|(i, _)| i);
    [all.next(), all.next()]
}

/// Whether a run of digits is such a number by its form alone.
pub(crate) fn is_bare(digits: &[u8]) -> bool {
    // One digit over and over fits many a scheme, and nobody has it.
    digits.iter().any(|d| Some(d) != digits.first())
        && SCHEMES.iter().any(|scheme| {
            scheme
                .forms
                .iter()
                .any(|f| f.len() == digits.len() && f.bytes().all(|b| matches!(b, b'#' | b'*')))
                && scheme.is_valid(digits)
        })
}

/// The length of what at the beginning of `text` is written in one of the forms with letters or separators, and is such a
/// number.
pub(crate) fn written(text: &[u8]) -> Option<usize> {
    SCHEMES.iter().find_map(|scheme| {
        scheme.forms.iter().find_map(|form| {
            let compact = read(form, text)?;
            // Of digits alone there are other callers.
            let bare = form.bytes().all(|b| b == b'#');
            (!bare && scheme.is_valid(&compact)).then_some(form.len())
        })
    })
}

/// Whether a word of sixteen letters and digits is an Italian's tax code.
pub(crate) fn is_italian(word: &[u8]) -> bool {
    // Most words differ here already.
    word.get(6..8).is_some_and(|year| year.iter().all(u8::is_ascii_digit))
        && ITALIAN.forms.iter().filter_map(|form| read(form, word)).any(|compact| ITALIAN.is_valid(&compact))
}

/// The length of a social security number at the beginning of `text`.
pub(crate) fn ssn(text: &[u8]) -> Option<usize> {
    let compact = read(SSN_FORM, text)?;
    SSN.is_valid(&compact).then_some(SSN_FORM.len())
}

/// The characters without separators, in upper case, of what is written in that form.
fn read(form: &str, text: &[u8]) -> Option<Vec<u8>> {
    let text = text.get(..form.len())?;
    let fits = |(form, b): (u8, &u8)| match form {
        b'#' => b.is_ascii_digit(),
        b'A' => b.is_ascii_alphabetic(),
        b'*' => b.is_ascii_alphanumeric(),
        other => other == *b,
    };
    if !form.bytes().zip(text).all(fits) {
        return None;
    }
    let finnish = form.starts_with("######") && form.ends_with('*') && form.len() == 11;
    let kept = |b: &&u8| finnish || b.is_ascii_alphanumeric();
    Some(text.iter().filter(kept).map(u8::to_ascii_uppercase).collect())
}

mod check;
