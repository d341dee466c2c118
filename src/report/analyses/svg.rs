//! The comparison as bars, in SVG. Pure.

use super::{AnalysisComparison, SERIES};

/// Colours that stay apart for most colour-blind eyes and in grey (Okabe and Ito, "Color Universal Design", 2008).
const COLORS: [&str; 4] = ["#999999", "#56b4e9", "#e69f00", "#d55e00"];

/// Sizes in pixels.
const BAR: usize = 7;
const GAP: usize = 9;
const LEFT: usize = 190;
const PLOT: usize = 720;
const TOP: usize = 64;

/// The comparison as horizontal bars: a group for the means and one for each app, a bar for each number there is.
#[must_use]
pub fn analyses_svg(comparison: &AnalysisComparison) -> String {
    let means = comparison.means.map(|mean| mean.mean);
    let whole = |number: Option<usize>| {
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
        number.map(|number| number as f64)
    };
    let mut groups = vec![(format!("mean of {} apps", comparison.apps.len()), means)];
    groups.extend(comparison.apps.iter().map(|row| (row.app.clone(), row.numbers().map(whole))));
    let most = groups.iter().flat_map(|(_, numbers)| numbers.iter().flatten()).fold(1.0_f64, |most, number| most.max(*number));
    // The next multiple of 50, so that the axis ends at a line of the grid.
    let scale_end = (most / 50.0).ceil() * 50.0;
    #[expect(clippy::cast_precision_loss, reason = "pixels")]
    let plot = PLOT as f64;
    let width_of = |number: f64| number / scale_end * plot;

    let mut y = TOP;
    let mut body = String::new();
    for (name, numbers) in &groups {
        let bars = numbers.iter().flatten().count();
        let height = bars.max(1) * BAR;
        body.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 8,
            y + height / 2 + 4,
            escaped(name)
        ));
        for ((number, color), series) in numbers.iter().zip(COLORS).zip(SERIES) {
            let Some(number) = number else { continue };
            let shown = if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") };
            body.push_str(&format!(
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{color}\"><title>{}, {series}: {shown}</title></rect>\n",
                width_of(*number),
                BAR - 1,
                escaped(name)
            ));
            body.push_str(&format!(
                "<text class=\"number\" x=\"{:.1}\" y=\"{}\">{shown}</text>\n",
                width_of(*number) + f64::from(u32::try_from(LEFT).unwrap_or_default()) + 3.0,
                y + BAR - 1
            ));
            y += BAR;
        }
        y += GAP + if bars == 0 { BAR } else { 0 };
    }
    let (width, height) = (LEFT + PLOT + 60, y + 24);
    let mut grid = String::new();
    let mut at = 0.0;
    while at <= scale_end {
        let x = width_of(at) + f64::from(u32::try_from(LEFT).unwrap_or_default());
        grid.push_str(&format!("<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{y}\"/>\n", TOP - 6));
        grid.push_str(&format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.0}</text>\n", y + 14));
        at += 50.0;
    }
    let is_drawn = |series: usize| groups.iter().any(|(_, numbers)| numbers[series].is_some());
    let legend: String = SERIES
        .iter()
        .zip(COLORS)
        .enumerate()
        .filter(|(series, _)| is_drawn(*series))
        .map(|(_, of_series)| of_series)
        .enumerate()
        .map(|(index, (name, color))| {
            let x = LEFT + index * 130;
            format!(
                "<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{color}\"/><text x=\"{}\" y=\"46\">{name}</text>\n",
                x + 17
            )
        })
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"Number of system calls per app: reported by static analysis, used, required\">\n\
         <style>text{{font:11px sans-serif;fill:#222}}.number{{font-size:8px}}line{{stroke:#ddd}}.title{{font-size:14px}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"22\">System calls per app</text>\n{legend}<g>\n{grid}</g>\n{body}</svg>\n"
    )
}

/// Text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
