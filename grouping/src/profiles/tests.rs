use super::*;

#[test]
fn percentages_sum_to_a_hundred() {
    for sizes in [vec![1, 1, 1], vec![7], vec![1, 2, 4, 999], vec![0, 3]] {
        let cents: i64 = percentages(&sizes).iter().map(|weight| (weight * 100.0).round() as i64).sum();
        assert_eq!(cents, 10_000, "{sizes:?}");
    }
    assert!(percentages(&[]).is_empty());
}

#[test]
fn few_sessions_are_told_apart_by_what_they_do() {
    let options = Options::default();
    let three = [vec![0, 1, 2, 3], vec![0, 4, 5, 6, 7], vec![0, 8, 8, 9]];
    assert_eq!(cluster(&three, &[], &options).0.len(), 3);
    let alike = [vec![0, 1, 2, 1, 2], vec![0, 1, 2, 1, 2, 1, 2], vec![0, 8, 9, 10]];
    let found = cluster(&alike, &[], &options).0;
    assert_eq!(
        found.iter().map(|cluster| cluster.sessions.clone()).collect::<Vec<_>>(),
        [vec![0, 1], vec![2]]
    );
    assert!(cluster(&[], &[], &options).0.is_empty());
    assert_eq!(cluster(&[vec![0]], &[], &options).0[0].silhouette, None);
}

#[test]
fn one_kind_of_user_stays_one_however_long_the_visits() {
    let sessions: Vec<Vec<u32>> = (1..60)
        .map(|length: u32| {
            let mut steps = vec![0];
            steps.extend((0..length).map(|step| 1 + (step + length) % 2));
            steps
        })
        .collect();
    assert_eq!(cluster(&sessions, &[], &Options::default()).0.len(), 1);
}
