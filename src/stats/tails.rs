//! Upper tails of the normal and of Student's distribution.
//!
//! What surprises people: degrees of freedom need not be whole; Welch's seldom are.

/// Upper tail of the standard normal distribution at `z` ≥ 0: the power series below 3, beyond it the continued fraction
/// (Abramowitz and Stegun 26.2.11 and 26.2.14), both good to better than 1e-12 relative.
pub fn normal_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for k in 1..60 {
            term *= z * z / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..=60).rev().fold(z, |tail, k| z + f64::from(k) / tail);
    density / fraction
}

/// Upper tail of Student's t with `degrees` > 0 degrees of freedom at `t` ≥ 0: half the regularised incomplete beta function at
/// `degrees / (degrees + t²)` (Abramowitz and Stegun 26.7.1), good to about 1e-12 relative.
pub fn student_t_tail(t: f64, degrees: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    0.5 * incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// Regularised incomplete beta function I_x(a, b) by its continued fraction (Abramowitz and Stegun 26.5.8), on the side on
/// which it converges fast.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        log_front.exp() * beta_fraction(x, a, b) / a
    } else {
        1.0 - log_front.exp() * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, evaluated from its end.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TERMS: u32 = 400;
    let tail = (1..=TERMS).rev().fold(1.0, |below, k| {
        let m = f64::from(k / 2);
        let term = if k % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        1.0 + term / below
    });
    1.0 / tail
}

/// Logarithm of the gamma function for x > 0, by Lanczos's approximation with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let below = x - 1.0;
    let base = below + 7.5;
    let sum = TERMS.iter().zip(0..).skip(1).fold(TERMS[0], |sum, (term, k)| sum + term / (below + f64::from(k)));
    0.5 * std::f64::consts::TAU.ln() + (below + 0.5) * base.ln() - base + sum.ln()
}
