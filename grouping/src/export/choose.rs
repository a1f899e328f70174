//! Of many sessions the few that together send what all of them send.

/// How often a session asks each endpoint: number of the endpoint, requests.
pub(super) type Counts = Vec<(u32, f64)>;

/// Picks `most` of the sessions, in their order, so that the mean of the picked ones' counts is close to the mean of all:
/// each time the one that brings it closest.
pub(super) fn choose(sessions: &[Counts], most: usize) -> Vec<usize> {
    if most >= sessions.len() {
        return (0..sessions.len()).collect();
    }
    let endpoints = sessions.iter().flatten().map(|(endpoint, _)| *endpoint as usize + 1).max().unwrap_or(0);
    let mut mean = vec![0.0; endpoints];
    for (endpoint, count) in sessions.iter().flatten() {
        mean[*endpoint as usize] += count / sessions.len() as f64;
    }
    // What is still missing of the mean times the number picked so far.
    let mut missing = vec![0.0; endpoints];
    let mut left: Vec<usize> = (0..sessions.len()).collect();
    let mut picked = Vec::with_capacity(most);
    while picked.len() < most {
        for (missing, mean) in missing.iter_mut().zip(&mean) {
            *missing += mean;
        }
        // |missing − counts|² without |missing|², which is the same for all.
        let distance = |session: usize| -> f64 {
            let counts = sessions[session].iter();
            counts.map(|&(endpoint, count)| count * (count - 2.0 * missing[endpoint as usize])).sum()
        };
        let best = (0..left.len()).min_by(|&a, &b| distance(left[a]).total_cmp(&distance(left[b])));
        let Some(best) = best else { break };
        let session = left.remove(best);
        for &(endpoint, count) in &sessions[session] {
            missing[endpoint as usize] -= count;
        }
        picked.push(session);
    }
    picked.sort_unstable();
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_send_what_all_send() {
        // three of four ask for 0 once, one of four asks for 1 five times
        let sessions: Vec<Counts> =
            (0..400).map(|n| if n % 4 == 0 { vec![(1, 5.0)] } else { vec![(0, 1.0)] }).collect();
        let picked = choose(&sessions, 8);
        assert_eq!(picked.len(), 8);
        assert_eq!(picked.iter().filter(|&&n| n % 4 == 0).count(), 2, "{picked:?}");
        assert!(picked.is_sorted_by(|a, b| a < b), "each once, in order: {picked:?}");
    }

    #[test]
    fn all_where_there_are_no_more() {
        assert_eq!(choose(&[vec![], vec![(3, 1.0)]], 5), [0, 1]);
        assert_eq!(choose(&[], 5), Vec::<usize>::new());
        assert_eq!(choose(&[vec![], vec![]], 1).len(), 1);
    }
}
