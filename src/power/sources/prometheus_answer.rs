//! Answers of Prometheus's query API, taken apart: series with their last sample and the step between samples.
//!
//! Nothing is asked here. What surprises people: values are text (`"NaN"` and `"+Inf"` among them), and the time beside a
//! vector's value is that of the question, so only a matrix has times of scrapes.

use serde_json::Value;

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    /// Name and labels as Prometheus writes them.
    pub(super) labels: String,
    /// Time in Unix seconds, and value, of the last sample.
    pub(super) last: (f64, f64),
    /// The time is that of a scrape.
    pub(super) is_raw: bool,
    step: Option<f64>,
}

impl Series {
    /// Usual time between two samples: the median, which a missed scrape does not move.
    pub(super) fn step(&self) -> Option<f64> {
        self.step
    }
}

/// The series of an answer; else what the server said was wrong, if it is an answer at all.
pub(super) fn parse(body: &str) -> Result<Vec<Series>, Option<String>> {
    let answer: Value = serde_json::from_str(body).map_err(|_| None)?;
    match answer.get("status").and_then(Value::as_str) {
        Some("success") => {}
        Some(_) => {
            return Err(Some(answer.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_owned()));
        }
        None => return Err(None),
    }
    let result = answer.pointer("/data/result").ok_or(None)?;
    match answer.pointer("/data/resultType").and_then(Value::as_str) {
        Some("vector") => Ok(items(result).filter_map(of_vector).collect()),
        Some("matrix") => Ok(items(result).filter_map(of_matrix).collect()),
        Some("scalar") => {
            let last = sample(result).ok_or(None)?;
            Ok(vec![Series { labels: "a scalar".to_owned(), last, is_raw: false, step: None }])
        }
        other => Err(Some(format!("the result is a {}, not numbers", other.unwrap_or("nothing")))),
    }
}

fn items(result: &Value) -> impl Iterator<Item = &Value> {
    result.as_array().into_iter().flatten()
}

fn sample(pair: &Value) -> Option<(f64, f64)> {
    let value = match pair.get(1)?.as_str()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().ok()?,
    };
    Some((pair.get(0)?.as_f64()?, value))
}

fn of_vector(series: &Value) -> Option<Series> {
    let last = sample(series.get("value")?)?;
    Some(Series { labels: labels(series), last, is_raw: false, step: None })
}

fn of_matrix(series: &Value) -> Option<Series> {
    let samples: Vec<(f64, f64)> = items(series.get("values")?).filter_map(sample).collect();
    let mut steps: Vec<f64> = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|step| *step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let step = steps.get(steps.len() / 2).copied();
    Some(Series { labels: labels(series), last: *samples.last()?, is_raw: true, step })
}

fn labels(series: &Value) -> String {
    let empty = serde_json::Map::new();
    let metric = series.get("metric").and_then(Value::as_object).unwrap_or(&empty);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = metric.get("__name__").map(text).unwrap_or_default();
    let labels = metric.iter().filter(|(key, _)| *key != "__name__");
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key}=\"{}\"", text(value))).collect();
    format!("{name}{{{}}}", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_gives_the_last_scrape_and_the_usual_step_between_scrapes() {
        let series = parse(
            r#"{"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"__name__":"p","job":"x"},"values":[[10,"1"],[11,"2"],[12,"3"],[15,"4"]]}]}}"#,
        )
        .unwrap();
        assert_eq!((series[0].last, series[0].step(), series[0].is_raw), ((15.0, 4.0), Some(1.0), true));
        assert_eq!(series[0].labels, "p{job=\"x\"}");
    }

    #[test]
    fn a_vector_has_the_time_of_the_question_and_an_error_its_words() {
        let vector =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[10,"NaN"]}]}}"#;
        let series = parse(vector).unwrap();
        assert!(series[0].last.1.is_nan() && !series[0].is_raw);
        let error = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(parse(error), Err(Some("parse error".to_owned())));
        assert_eq!(parse("<html>"), Err(None));
        let text = r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#;
        assert!(parse(text).unwrap_err().unwrap().contains("a string"));
    }
}
