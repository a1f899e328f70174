//! "Did you mean": the nearest of the names that would have been right.

/// The candidate most like `word`, when any is like enough to be worth naming (Jaro–Winkler ≥ 0.7).
///
/// ```
/// assert_eq!(mynah_traffic::nearest("wieght", ["weight", "name"]), Some("weight"));
/// assert_eq!(mynah_traffic::nearest("zzz", ["weight", "name"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
