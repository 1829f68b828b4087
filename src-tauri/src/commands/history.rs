//! The history screen.

use afterwatch_contract::{
    history::{
        HistoryInsights, HistoryPage, HistoryQuery, HistoryRow, MedianDto, MetricDot, MetricPlot, OccurrenceDto,
        RecurrenceDto,
    },
    window::IncidentSummary,
};
use afterwatch_core::{
    Timestamp,
    history::{Plot, Recurrence},
    metrics::Span,
    port::store::IncidentQuery,
    severity::Severity,
};
use afterwatch_engine::Insights;
use jiff::SignedDuration;

use super::{Answer, Held, check_size, error, incidents::gap_dto};

/// So many rows are given at a time at the most.
const MOST_ROWS: u32 = 500;

/// Faults that come back most, so many.
const MOST_RECURRING: usize = 50;

/// Past incidents that fit, newest first.
#[tauri::command]
pub async fn history(shell: Held<'_>, query: HistoryQuery) -> Answer<HistoryPage> {
    let desk = shell.desk().await?;
    let past = desk.engine.past(read(&query, Timestamp::now())?).await.map_err(error)?;
    Ok(HistoryPage {
        incidents: past
            .heads
            .iter()
            .map(|(head, times)| HistoryRow {
                incident: IncidentSummary::from(head),
                mitigated_at: head.mitigated_at.map(|at| at.to_string()),
                times: times.into(),
                reopened: head.reopened,
                ticket: head.ticket.clone(),
            })
            .collect(),
        total: past.total,
        of: past.of,
        recorded_since: past.extent.since.map(|at| at.to_string()),
        clusters: past.extent.clusters,
    })
}

/// What comes back, and how long things took, over everything that fits.
#[tauri::command]
pub async fn history_insights(shell: Held<'_>, query: HistoryQuery) -> Answer<HistoryInsights> {
    let desk = shell.desk().await?;
    let insights = desk.engine.insights(read(&query, Timestamp::now())?).await.map_err(error)?;
    let recurring = insights.recurring();
    Ok(HistoryInsights {
        recurring: recurring.iter().take(MOST_RECURRING).map(|r| recurrence(r, &insights)).collect(),
        plots: insights.plots.iter().map(plot).collect(),
        recorded_since: insights.extent.since.map(|at| at.to_string()),
    })
}

fn read(query: &HistoryQuery, now: Timestamp) -> Answer<IncidentQuery> {
    check_size(query.search.as_deref().unwrap_or_default())?;
    let severity = match query.severity.as_deref() {
        None => None,
        Some("critical") => Some(Severity::Critical),
        Some("high") => Some(Severity::High),
        Some("medium") => Some(Severity::Medium),
        Some("low") => Some(Severity::Low),
        Some(other) => return Err(error(format!("There is no severity {other}."))),
    };
    let since = query.days.and_then(|days| now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok());
    Ok(IncidentQuery {
        search: query.search.clone().filter(|text| !text.trim().is_empty()),
        clusters: query.cluster.iter().cloned().collect(),
        severity,
        since,
        offset: query.offset,
        limit: Some(query.limit.min(MOST_ROWS)),
        ..IncidentQuery::default()
    })
}

fn recurrence(r: &Recurrence<'_>, insights: &Insights) -> RecurrenceDto {
    let gaps = |well_at: Option<Timestamp>, back_at| match well_at {
        Some(from) => insights.gaps(r.newest, from, back_at).iter().map(gap_dto).collect(),
        None => Vec::new(),
    };
    RecurrenceDto {
        title: r.newest.title.clone(),
        cluster: r.newest.cluster.clone(),
        namespace: r.newest.subject.namespace.clone(),
        subject_kind: r.newest.subject.kind.clone(),
        subject_name: r.newest.subject.name.clone(),
        longest_well_s: r.longest_well(),
        occurrences: r
            .times
            .iter()
            .map(|time| OccurrenceDto {
                id: time.id.to_string(),
                number: time.number,
                started_at: time.started_at.to_string(),
                well_at: time.well_at.map(|at| at.to_string()),
                recovered_by: time.recovered_by.clone(),
                back_at: time.back_at.map(|at| at.to_string()),
                gaps: gaps(time.well_at, time.back_at),
            })
            .collect(),
    }
}

fn plot(plot: &Plot) -> MetricPlot {
    MetricPlot {
        metric: plot.metric.word().to_owned(),
        definition: plot.metric.definition().to_owned(),
        dots: plot
            .dots
            .iter()
            .map(|dot| MetricDot {
                id: dot.id.to_string(),
                number: dot.number,
                at: dot.at.to_string(),
                seconds: dot.span.seconds(),
                range_s: match dot.span {
                    Span::Range(low, high) => Some((low, high)),
                    _ => None,
                },
            })
            .collect(),
        medians: plot
            .medians
            .iter()
            .map(|m| MedianDto { from: m.from.to_string(), to: m.to.to_string(), seconds: m.seconds, of: m.of })
            .collect(),
        median_s: plot.median,
        unknown: plot.unknown,
        pending: plot.pending,
    }
}
