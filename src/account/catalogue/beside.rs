//! What stands beside a figure that was looked up: another source's figure of the code, or another region of the name.
//!
//! Looking up itself is in the parent. What surprises people: a name that fits exactly is taken although it is a part of
//! another region's name, so `Congo` is the Republic; the sentence made here names the other one.

use super::{Asked, Catalogue, Entry, USER_PREFIX, country_codes, same_place};

impl Catalogue {
    /// What must be said where a text could mean another figure than the one it takes: a user's beside a built-in one, or
    /// another region that is called so, too (`Congo`).
    pub fn beside(&self, text: &str) -> Option<String> {
        let chosen = self.entry(text).ok()?;
        self.of_other_file(text, chosen).or_else(|| self.of_like_name(text, chosen))
    }

    fn of_other_file(&self, text: &str, chosen: &Entry) -> Option<String> {
        let code = Asked::parse(text).code;
        let others = self.entries.iter().filter(|e| e.is_called(code) && e.file.is_some() != chosen.file.is_some());
        let other = others.max_by_key(|entry| entry.factor.year)?;
        let words = |entry: &Entry| {
            let (factor, year) =
                (&entry.factor, entry.factor.year.map_or("year unstated".to_owned(), |y| y.to_string()));
            let grams = factor.intensity_g_per_kwh.get();
            match &entry.file {
                Some(file) => format!("the one of {} ({grams} g{}/kWh, {year})", file.display(), factor.gas),
                None => format!("the built-in one ({grams} g{}/kWh, {year})", factor.gas),
            }
        };
        let prefix = if other.file.is_some() { USER_PREFIX } else { "" };
        let year = other.factor.year.map(|year| format!("@{year}")).unwrap_or_default();
        Some(format!(
            "{code} has a built-in figure and one of a user's file: {} is used; `{prefix}{}{year}` takes {}",
            words(chosen),
            other.factor.region,
            words(other)
        ))
    }

    /// Other regions with the same words in their name, where a name and no code was given.
    fn of_like_name(&self, text: &str, chosen: &Entry) -> Option<String> {
        let sought = words(Asked::parse(text).code);
        let region = chosen.factor.region.as_str();
        if sought != words(&chosen.factor.name) {
            return None;
        }
        let parts = |code: &str| country_codes(code).contains(&region) || same_place(code, region);
        let mut others: Vec<String> = (self.entries.iter().map(|entry| &entry.factor))
            .filter(|own| words(&own.name).contains(&sought) && !parts(&own.region))
            .map(|own| format!("{} ({}, {} g{}/kWh)", own.region, own.name, own.intensity_g_per_kwh.get(), own.gas))
            .collect();
        others.sort();
        others.dedup();
        let taken = format!("{region} ({})", chosen.factor.name);
        (!others.is_empty()).then(|| format!("{taken} is taken; of a like name: {}", others.join(", ")))
    }
}

/// A text's words in small letters, with a space on each side.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let all: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!(" {} ", all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_part_of_another_regions_names_that_region_and_a_code_does_not() {
        let catalogue = Catalogue::built_in().unwrap();
        // Two countries whose factors are 26 times apart.
        let said = catalogue.beside("congo").unwrap();
        assert!(said.starts_with("COG (Congo) is taken") && said.contains("COD (Democratic Republic"), "{said}");
        assert!(catalogue.beside("Guinea").unwrap().contains("GNQ"));
        for plain in ["COG", "CG", "France", "China", "CN", "CN-QH", "Qinghai", "niger", "WORLD", "Sweden"] {
            assert_eq!(catalogue.beside(plain), None, "{plain}");
        }
    }
}
