//! Which output elements are checked: corners, the edges of tiles, and others by chance.
//!
//! Kernels go wrong at the first and last element of a tile, in the ragged last tile, and where a grid of workgroups folds.
//! What surprises people: for tiles as high as wide, every class of rows meets every class of columns in each check; for other
//! tiles they meet by chance, and `pick` changes the pairing from check to check.

use std::collections::BTreeSet;

use super::inputs::Picks;

/// Extents of tiles, vectors, workgroups and grids in common use; 65 536 is one past the most workgroups of one axis.
const TILES: [u64; 9] = [4, 8, 16, 32, 64, 128, 256, 1024, 65_536];

/// Largest tile whose corners are all visited in every check.
const LARGEST_TILE: u64 = 256;

/// Where tiles of one size begin and end along an axis: around the first edge and the last; both ends where there is none.
fn edges_of(tile: u64, extent: u64) -> BTreeSet<u64> {
    if tile >= extent {
        return BTreeSet::from([0, extent - 1]);
    }
    let last = (extent - 1) / tile * tile;
    BTreeSet::from([tile - 1, tile, last - 1, last])
}

/// Indices of an axis where tiles begin and end: first, last, around the first edge and the last edge of every tile size.
fn edges(extent: u64) -> BTreeSet<u64> {
    let mut edges = BTreeSet::from([0, extent - 1]);
    for tile in TILES.into_iter().filter(|tile| *tile < extent) {
        edges.extend(edges_of(tile, extent));
    }
    edges
}

/// About `want` distinct indices below `extent`, ascending: the edges (first and last always), then others by chance.
pub(super) fn axis(extent: u64, want: usize, picks: &mut Picks) -> Vec<u64> {
    if extent <= want as u64 {
        return (0..extent).collect();
    }
    let mut chosen = edges(extent);
    if chosen.len() > want {
        let mut others: Vec<u64> = chosen.iter().copied().filter(|i| *i != 0 && *i != extent - 1).collect();
        shuffle(&mut others, picks);
        others.truncate(want.saturating_sub(2));
        chosen = others.into_iter().chain([0, extent - 1]).collect();
    }
    for _ in 0..4 * want {
        if chosen.len() >= want {
            break;
        }
        chosen.insert(picks.below(extent));
    }
    chosen.into_iter().collect()
}

/// Rows and, for each, columns: about `samples` elements in at most `most_rows` rows. The four corners are always there.
pub(super) fn grid(rows: u64, columns: u64, samples: u32, most_rows: usize, picks: &mut Picks) -> Vec<(u64, Vec<u64>)> {
    let most_rows = most_rows.min(samples as usize / 2).max(2);
    let chosen = axis(rows, most_rows, picks);
    let mut corners = corners(rows, columns);
    corners.retain(|(row, _)| chosen.binary_search(row).is_ok());
    if corners.len() > samples as usize / 2 {
        corners.clear();
    }
    // Some of the corners are met by chance as well, so not all of them are taken off.
    let others = samples - corners.len() as u32 * 3 / 4;
    let mut grid = with_columns(chosen, columns, others, picks);
    for (row, own) in &mut grid {
        let more = corners.iter().filter(|(corner, _)| corner == row).map(|(_, column)| *column);
        let all: BTreeSet<u64> = own.iter().copied().chain(more).collect();
        *own = all.into_iter().collect();
    }
    grid
}

/// Every corner class of square tiles: the last and first rows and columns around a tile's edge, inside the matrix and at its
/// ragged end, each row with each column.
fn corners(rows: u64, columns: u64) -> BTreeSet<(u64, u64)> {
    let tiles = TILES.into_iter().filter(|tile| *tile <= LARGEST_TILE && *tile < rows.max(columns));
    let pairs = tiles.flat_map(|tile| {
        let across = edges_of(tile, columns);
        edges_of(tile, rows)
            .into_iter()
            .flat_map(move |row| across.clone().into_iter().map(move |column| (row, column)))
    });
    pairs.collect()
}

/// Columns for each of some rows, in turn, so that about `samples` elements result; the first and the last row have the
/// first and the last column.
pub(super) fn with_columns(rows: Vec<u64>, columns: u64, samples: u32, picks: &mut Picks) -> Vec<(u64, Vec<u64>)> {
    let each = (samples as usize).div_ceil(rows.len()).max(1);
    let mut columns = axis(columns, each.max(MOST_COLUMNS), picks);
    let ends = [columns[0], columns[columns.len() - 1]];
    shuffle(&mut columns, picks);
    let count = rows.len();
    let mut turn = columns.iter().copied().cycle();
    let choose = rows.into_iter().enumerate().map(|(place, row)| {
        let mut own: BTreeSet<u64> = turn.by_ref().take(each.min(columns.len())).collect();
        if place == 0 || place + 1 == count {
            own.extend(ends);
        }
        (row, own.into_iter().collect())
    });
    choose.collect()
}

/// Distinct columns of a grid, unless few rows need more: enough for every edge of [`TILES`].
const MOST_COLUMNS: usize = 48;

fn shuffle(values: &mut [u64], picks: &mut Picks) {
    for i in (1..values.len()).rev() {
        values.swap(i, picks.below(i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_edge_of_every_tile_is_among_the_rows_and_the_columns_of_a_matrix() {
        let grid = grid(1000, 4096, 256, 48, &mut Picks::new(1));
        let rows: BTreeSet<u64> = grid.iter().map(|(row, _)| *row).collect();
        let columns: BTreeSet<u64> = grid.iter().flat_map(|(_, columns)| columns.clone()).collect();
        for edge in [0, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 895, 896, 959, 960, 991, 992, 999] {
            assert!(rows.contains(&edge), "row {edge}");
        }
        for edge in [0, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 3967, 3968, 4031, 4032, 4063, 4064, 4087, 4088, 4095] {
            assert!(columns.contains(&edge), "column {edge}");
        }
        let count: usize = grid.iter().map(|(_, columns)| columns.len()).sum();
        assert!((250..350).contains(&count), "{count}");
    }

    #[test]
    fn every_corner_of_square_tiles_up_to_256_is_visited_in_every_check() {
        for (rows, columns) in [(1000, 4096), (513, 513), (257, 100_003), (300, 40), (1, 700), (700, 1), (67, 67)] {
            for pick in 0..5 {
                let grid = grid(rows, columns, 256, 48, &mut Picks::new(pick));
                let all: BTreeSet<(u64, u64)> =
                    grid.iter().flat_map(|(row, own)| own.iter().map(move |column| (*row, *column))).collect();
                for tile in [4, 8, 16, 32, 64, 128, 256_u64].into_iter().filter(|tile| *tile < rows.min(columns)) {
                    let ends =
                        |extent: u64| [tile - 1, tile, (extent - 1) / tile * tile - 1, (extent - 1) / tile * tile];
                    for (row, column) in
                        ends(rows).into_iter().flat_map(|row| ends(columns).map(|column| (row, column)))
                    {
                        assert!(all.contains(&(row, column)), "{rows}x{columns}, tile {tile}: {row},{column}");
                    }
                }
                assert!(all.contains(&(rows - 1, columns - 1)) && all.len() <= 350, "{rows}x{columns}: {}", all.len());
            }
        }
    }

    #[test]
    fn another_pick_chooses_other_elements() {
        assert_ne!(axis(1 << 20, 256, &mut Picks::new(1)), axis(1 << 20, 256, &mut Picks::new(2)));
        assert_eq!(axis(1 << 20, 256, &mut Picks::new(1)), axis(1 << 20, 256, &mut Picks::new(1)));
    }

    proptest! {
        #[test]
        fn samples_are_distinct_in_range_and_include_both_ends(
            extent in 1_u64..1 << 40, want in 2_usize..300, pick: u64,
        ) {
            let chosen = axis(extent, want, &mut Picks::new(pick));
            prop_assert!(chosen.windows(2).all(|two| two[0] < two[1]));
            prop_assert_eq!((chosen[0], chosen[chosen.len() - 1]), (0, extent - 1));
            prop_assert!(chosen.len() <= want);
        }

        #[test]
        fn a_grid_holds_the_four_corners(
            rows in 1_u64..5000, columns in 1_u64..5000, samples in 0_u32..400, pick: u64,
        ) {
            let grid = grid(rows, columns, samples, 48, &mut Picks::new(pick));
            for corner in [(0, 0), (0, columns - 1), (rows - 1, 0), (rows - 1, columns - 1)] {
                prop_assert!(grid.iter().any(|(row, own)| *row == corner.0 && own.contains(&corner.1)));
            }
            prop_assert!(grid.iter().all(|(row, own)| *row < rows && own.iter().all(|column| *column < columns)));
        }
    }
}
