//! `mynah profile --explain --json`: all that was decided, for programs.

use mynah_grouping::Explanation;
use serde_json::{Value, json};

/// The explanation as one object.
pub(super) fn of(explanation: &Explanation) -> Value {
    let idle = &explanation.idle;
    json!({
        "exchanges": explanation.exchanges,
        "steps": explanation.steps,
        "left_out": explanation.left_out.iter()
            .map(|(reason, count)| json!({
                "kind": reason.name(),
                "reason": reason.to_string(),
                "exchanges": count,
                "keep": reason.keep(),
            }))
            .collect::<Vec<_>>(),
        "third_parties": explanation.third_parties.iter()
            .map(|(host, count)| json!({"host": host, "exchanges": count}))
            .collect::<Vec<_>>(),
        "identified_by": explanation.sessions.iter()
            .map(|(rung, count)| json!({"rung": rung.to_string(), "sessions": count}))
            .collect::<Vec<_>>(),
        "idle_timeout": {"seconds": idle.timeout.as_secs_f64(), "why": idle.to_string()},
        "endpoints": explanation.endpoints.iter()
            .map(|(endpoint, requests)| json!({"endpoint": endpoint, "requests": requests}))
            .collect::<Vec<_>>(),
        "warnings": explanation.warnings,
        "clustering": {
            "sequences": explanation.clustering.sequences,
            "learnt": explanation.clustering.learnt,
            "doubtful": explanation.clustering.doubtful,
        },
        "profiles": explanation.profiles.iter().map(|profile| json!({
            "name": profile.name,
            "weight": profile.weight,
            "margin": profile.margin,
            "sessions": profile.sessions,
            "silhouette": profile.silhouette,
            "medoid": {"session": profile.medoid, "steps": profile.medoid_steps},
            "telling": profile.telling.iter()
                .map(|(endpoint, inside, outside)| json!({"endpoint": endpoint, "inside": inside, "outside": outside}))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "correlations": explanation.correlations.iter()
            .map(|one| json!({"name": one.name, "from": one.from, "to": one.to, "format": one.format, "evidence": one.evidence}))
            .collect::<Vec<_>>(),
        "rejected": explanation.rejected.iter()
            .map(|one| json!({"from": one.from, "to": one.to, "reason": one.reason, "values": one.values}))
            .collect::<Vec<_>>(),
        "rejected_untold": explanation.rejected_untold,
        "correlated_sessions": explanation.correlated_sessions,
        "sessions": explanation.members.iter()
            .map(|(session, profile)| json!({"session": session, "profile": profile}))
            .collect::<Vec<_>>(),
    })
}
