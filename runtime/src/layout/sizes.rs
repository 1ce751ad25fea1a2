//! How much of the disk, and of the extended partition, each partition gets.

use task_sequence::Extent;

use super::{ALIGN, LayoutError, MIB, Role, TAIL, Wish};

/// In front of each logical partition lies a table that describes it, and the partition begins at a multiple of [`ALIGN`].
pub(super) const LOGICAL_TABLE: u64 = MIB;

/// The bytes of each partition; of a logical one with those of its table.
pub(super) fn of(wishes: &[Wish], disk: u64) -> Result<Vec<u64>, LayoutError> {
    let extents = |logical| {
        let side_by_side = wishes.iter().filter(move |wish| wish.is_logical() == logical);
        side_by_side.map(|wish| wish.size).collect::<Vec<_>>()
    };
    let available = disk.saturating_sub(ALIGN + TAIL) / ALIGN * ALIGN;
    let outside = share_out(&extents(false), available, ALIGN).map_err(|needed| LayoutError::TooSmall {
        needed: needed + ALIGN + TAIL,
        available: disk,
    })?;
    let mut not_logical = wishes.iter().filter(|wish| !wish.is_logical()).zip(&outside);
    let extended = not_logical.find(|(wish, _)| wish.role == Role::Extended);
    let available = extended.map_or(0, |(_, size)| *size);
    let inside = share_out(&extents(true), available, LOGICAL_TABLE + ALIGN)
        .map_err(|needed| LayoutError::ExtendedTooSmall { needed, available })?;
    Ok(in_order(wishes, outside, inside))
}

fn in_order(wishes: &[Wish], outside: Vec<u64>, inside: Vec<u64>) -> Vec<u64> {
    let (mut outside, mut inside) = (outside.into_iter(), inside.into_iter());
    let next = |wish: &Wish| {
        let sizes = if wish.is_logical() {
            &mut inside
        } else {
            &mut outside
        };
        sizes.next()
    };
    wishes.iter().filter_map(next).collect()
}

/// Fixed sizes first, then the shares of what is left, then the rest in equal parts; each at least `least`. The error is what they
/// need.
fn share_out(extents: &[Extent], available: u64, least: u64) -> Result<Vec<u64>, u64> {
    let fixed = |extent: &Extent| match extent {
        Extent::Bytes(size) => Some(size.bytes().next_multiple_of(ALIGN).max(least)),
        Extent::Percent(_) | Extent::Rest => None,
    };
    let taken: u64 = extents.iter().filter_map(fixed).sum();
    let flexible = extents.iter().filter(|extent| fixed(extent).is_none()).count() as u64;
    let needed = taken + flexible * least;
    if needed > available {
        return Err(needed);
    }
    let left = available - taken;
    let share = |percent: u8| (left / 100 * u64::from(percent) / ALIGN * ALIGN).max(least);
    let shares = extents.iter().filter_map(|extent| match extent {
        Extent::Percent(percent) => Some(share(*percent)),
        _ => None,
    });
    let shares: u64 = shares.sum();
    let rests = extents.iter().filter(|extent| **extent == Extent::Rest).count() as u64;
    if shares + rests * least > left {
        return Err(taken + shares + rests * least);
    }
    let rest = (left - shares) / rests.max(1) / ALIGN * ALIGN;
    let size = |extent: &Extent| match extent {
        Extent::Percent(percent) => share(*percent),
        Extent::Rest => rest,
        Extent::Bytes(_) => fixed(extent).unwrap_or(least),
    };
    Ok(extents.iter().map(size).collect())
}
