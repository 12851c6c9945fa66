//! Figures of hand-built records: their data, and the structure of their SVG.

mod samples;

use wattmark::figure::{Figure, standard_figures, svg};

fn figures_of(
    sample: (wattmark::model::RunRecord, wattmark::measure::result::RunResult, wattmark::figure::RegionChart),
) -> Vec<Figure> {
    let (record, result, regions) = sample;
    standard_figures(&record, &result, Some(&regions))
}

/// Writes all sample figures below the folder named by `WATTMARK_PICTURES`, to be looked at.
#[test]
#[ignore = "writes pictures for people to look at"]
fn pictures() {
    let folder =
        std::path::PathBuf::from(std::env::var("WATTMARK_PICTURES").expect("WATTMARK_PICTURES names a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, sample) in [("h200", samples::h200()), ("llvmpipe", samples::llvmpipe())] {
        for figure in figures_of(sample) {
            std::fs::write(folder.join(format!("{name}-{}.svg", figure.id)), svg::render(&figure).unwrap()).unwrap();
            std::fs::write(folder.join(format!("{name}-{}.csv", figure.id)), figure.csv()).unwrap();
            std::fs::write(folder.join(format!("{name}-{}.caption.txt", figure.id)), &figure.caption).unwrap();
        }
    }
}
