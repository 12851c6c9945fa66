//! Tests of what `compare` prints.

use super::table::indented;
use super::*;

#[test]
fn noise_is_a_percentage_or_a_ratio() {
    assert_eq!(parse_noise("1%").unwrap().get(), 0.01);
    assert_eq!(parse_noise("0.02").unwrap().get(), 0.02);
    for bad in ["", "x", "-1%", "nan", "150%", "1"] {
        let error = parse_noise(bad).unwrap_err();
        assert_eq!(crate::cli::exit::code_of(&error), Exit::Usage, "{bad}");
    }
}

#[test]
fn the_table_fits_120_columns_and_says_verdicts_reasons_and_differences() {
    use crate::compare::testing::{Spec, run, skip};
    let speeds = [1000.0, 1001.0, 999.0, 1000.0, 1002.0];
    let faster = speeds.map(|speed| speed * 1.25);
    let spec = |variant, speeds| Spec { variant, speeds, ..Spec::default() };
    let a = run("Device X", &[spec("gemm/tiled-f32", &speeds), spec("rmsnorm/rows-f32", &speeds)]);
    let mut b = run("Device Y", &[spec("gemm/tiled-f32", &faster), spec("rmsnorm/rows-f32", &speeds)]);
    b.result.cases[1].energy[0].evidence = crate::model::Evidence::Estimated;
    b.result.skips.push(skip("gemv/f16"));
    let site = SiteArgs { grid: Some("CN-QH".to_owned()), ..SiteArgs::default() }.resolve(None).unwrap();
    let options = Options::new(Ratio::new(0.01), site);
    let comparison = compare::compare(&a.result, &a.record, &b.result, &b.record, &options);
    let entry = |run: crate::compare::testing::Run| Entry { record: run.record, result: run.result, device: None };
    let text = render(&entry(a), &[entry(b)], &options, &[comparison]).unwrap();
    println!("{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for part in [
        "2.00 TFLOP/s",
        "2.50 TFLOP/s",
        "1.250",
        "better",
        "same",
        "refused",
        "evidence differs",
        "5+5",
        "1.00 TFLOPS/W",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    assert!(text.contains("B device 0 gemv/f16") && text.contains("needs 9 GiB"), "{text}");
    assert!(text.contains("Device X") && text.contains("Device Y"), "{text}");
    assert!(text.contains("speed 1 better, 1 same; work per joule 1 same, 1 refused"), "{text}");
    assert_eq!(indented("batch=1 dim=64 heads=4 kv_heads=2 seq=256"), "  batch=1 dim=64 heads=4\n  kv_heads=2 seq=256");
    // 1 TFLOP/J on 179.6 g/kWh is 49.9 g/EFLOP on both sides.
    assert!(text.contains("49.9 g/EFLOP"), "{text}");
}
