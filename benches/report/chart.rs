//! The charts.

use crate::figures::{Peer, Row};
use crate::table::ratio;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Outcome = Result<(), Box<dyn Error>>;

const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(205, 205, 205);
const AHEAD: RGBColor = RGBColor(46, 125, 106);
const LEVEL: RGBColor = RGBColor(150, 150, 150);
const BEHIND: RGBColor = RGBColor(200, 85, 61);

/// The peers of the curves.
const TINTS: [(&str, RGBColor); 5] = [
    ("tokio", RGBColor(31, 119, 180)),
    ("mea", RGBColor(214, 39, 40)),
    ("async-lock", RGBColor(46, 125, 106)),
    ("event-listener", RGBColor(148, 103, 189)),
    ("futures-intrusive", RGBColor(230, 140, 20)),
];

/// What the means leave out.
pub(crate) const LEFT_OUT: &str =
    "without rows outside the means, sizes and allocations, references, and those who do not count";

/// From here on a row counts as level.
const NOISE: f64 = 0.95;

/// Our lead over the best peer of each round, row by row.
pub(crate) fn leads(path: &Path, rows: &[Row]) -> Outcome {
    let bars: Vec<Bar> = rows
        .iter()
        .filter(|row| row.is_speed())
        .filter_map(|row| {
            let outside = if row.outside.is_some() { " (outside the means)" } else { "" };
            let peer = row.best_peer()?;
            let note = format!("{}{outside}", peer.project());
            Some(Bar { name: row.label(), value: row.lead?, note })
        })
        .collect();
    let title = "Our lead over the best peer of each round, row by row (1: level)";
    bar_chart(path, title, "beside it the peer that we lead least by the median", 400, &bars)
}

/// The geometric mean of our lead, peer by peer.
pub(crate) fn peers(path: &Path, peers: &[Peer]) -> Outcome {
    let bars: Vec<Bar> = peers
        .iter()
        .map(|peer| Bar {
            name: peer.name.clone(),
            value: peer.lead,
            note: format!("{} row{}", peer.rows, if peer.rows == 1 { "" } else { "s" }),
        })
        .collect();
    let title = "Our lead over each peer, geometric mean of the rows it is in (1: level)";
    bar_chart(path, title, LEFT_OUT, 160, &bars)
}

struct Bar {
    name: String,
    value: f64,
    note: String,
}

/// Horizontal bars from 1 to the value, on a logarithmic axis from a tenth to a hundred.
fn bar_chart(path: &Path, title: &str, small: &str, names: i32, bars: &[Bar]) -> Outcome {
    const LINE: i32 = 17;
    const TOP: i32 = 78;
    const DECADE: f64 = 130.0;
    const RIGHT: i32 = 190;

    let x = |value: f64| names + ((value.clamp(0.1, 100.0).log10() + 1.0) * DECADE) as i32;
    let (width, bottom) = (x(100.0) + RIGHT, TOP + bars.len() as i32 * LINE);
    let area = SVGBackend::new(path, (width as u32, bottom as u32 + 12)).into_drawing_area();
    area.fill(&WHITE)?;
    write_at(&area, title, (12, 18), 16, HPos::Left)?;
    write_at(&area, small, (12, 38), 12, HPos::Left)?;
    for value in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
        let shade = if value == 1.0 { INK } else { FAINT };
        let line = vec![(x(value), TOP - 4), (x(value), bottom)];
        area.draw(&PathElement::new(line, shade))?;
        write_at(&area, &value.to_string(), (x(value), TOP - 14), 12, HPos::Center)?;
    }
    for (bar, index) in bars.iter().zip(0..) {
        let middle = TOP + index * LINE + LINE / 2;
        let colour = match bar.value {
            value if value >= 1.0 => AHEAD,
            value if value >= NOISE => LEVEL,
            _ => BEHIND,
        };
        let (from, to) = (x(bar.value.min(1.0)), x(bar.value.max(1.0)));
        area.draw(&Rectangle::new([(from, middle - 5), (to, middle + 5)], colour.filled()))?;
        write_at(&area, &bar.name, (names - 8, middle), 12, HPos::Right)?;
        let beyond = if (0.1..=100.0).contains(&bar.value) { "" } else { " (beyond the axis)" };
        let said = format!("{}{beyond}, {}", ratio(bar.value), bar.note);
        write_at(&area, &said, (to + 6, middle), 12, HPos::Left)?;
    }
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn write_at(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, side: HPos) -> Outcome {
    let style = (FONT, size).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}

/// What one waiter costs among more and more of them.
pub(crate) fn growth(path: &Path, rows: &[Row]) -> Outcome {
    let area = SVGBackend::new(path, (1080, 380)).into_drawing_area();
    area.fill(&WHITE)?;
    let deeds = [
        ("cancel, lock", "Cancelling a waiter of a lock, ns"),
        ("register, lock", "Registering a waiter of a lock, ns"),
        ("serve, event", "Setting an event, ns per waiter"),
    ];
    for (panel, (deed, caption)) in area.split_evenly((1, deeds.len())).iter().zip(deeds) {
        curves(panel, rows, deed, caption)?;
    }
    area.present()?;
    Ok(())
}

/// Medians of those who are there at each size.
fn curves(panel: &Area<'_>, rows: &[Row], deed: &str, caption: &str) -> Outcome {
    const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
    let sized = |size| rows.iter().find(|row| row.name == format!("{deed}, {size} waiters"));
    let Some(list) = SIZES.into_iter().map(sized).collect::<Option<Vec<&Row>>>() else {
        return Ok(());
    };
    let median = |row: &Row, name: &str| {
        let who = row.contenders.iter().find(|who| who.name == name)?;
        Some(who.spread?[1])
    };
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, (FONT, 15))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(36)
        .build_cartesian_2d((800_u32..130_000).log_scale(), (1.0..1000.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("waiters")
        .x_labels(3)
        .y_labels(4)
        .y_label_formatter(&|nanoseconds| nanoseconds.to_string())
        .light_line_style(WHITE)
        .bold_line_style(FAINT)
        .label_style((FONT, 12))
        .draw()?;
    for who in &list[0].contenders {
        let medians = list.iter().map(|row| median(row, &who.name));
        let Some(medians) = medians.collect::<Option<Vec<f64>>>() else { continue };
        let style = match who.standing.as_str() {
            "ours" => INK.stroke_width(3),
            _ => tint(who.project()).stroke_width(2),
        };
        let points: Vec<(u32, f64)> = SIZES.into_iter().zip(medians).collect();
        chart
            .draw_series([PathElement::new(points, style)])?
            .label(&who.name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FONT, 12))
        .border_style(FAINT)
        .background_style(WHITE)
        .draw()?;
    Ok(())
}

fn tint(peer: &str) -> RGBColor {
    TINTS.into_iter().find(|(name, _)| *name == peer).map_or(LEVEL, |(_, tint)| tint)
}
