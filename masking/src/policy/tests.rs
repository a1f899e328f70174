use super::*;

#[test]
fn hash_is_stable_and_the_text_says_what_is_done() {
    let policy = Policy::built_in();
    assert_eq!(policy.hash(), Policy::built_in().hash());
    assert_ne!(policy.hash(), Policy::built_in().with_strict().hash());
    assert_ne!(policy.hash(), Policy::built_in().with_k(3).hash());
    let text = policy.explain();
    assert!(
        text.contains("passphrase") && text.contains("*password") && text.contains("issuer kept"),
        "{text}"
    );
}
