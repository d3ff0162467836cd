//! Packs the jobs of a batch into segments and runs one layer on them.

use super::job::{Job, Stage, Walk};
use cola_model::{
    Applied, Batch, Frozen, Keep, ModelError, Repeat, Segment, StepOptions, Visibility,
    seen_in_slot,
};
use cola_search::chain::Layer;

use super::shared::Shared;

/// Runs one layer on the rows or newest tokens of all jobs.
pub fn apply(shared: &Shared, layer: Layer, jobs: &[Job]) -> Result<Vec<Applied>, ModelError> {
    let prepared = jobs
        .iter()
        .map(|job| Prepared::new(shared.repeat, job))
        .collect::<Result<Vec<_>, _>>()?;
    let segments: Vec<Segment> = jobs
        .iter()
        .zip(&prepared)
        .map(|(job, prepared)| segment(shared.repeat, job, prepared))
        .collect();
    let options = |job: &Job| StepOptions {
        keep: match &job.stage {
            Stage::Token(_) => Keep::Views,
            // These nodes are copied when they are appended to the state of the smaller tree.
            Stage::Row(walk) if walk.base.is_some() => Keep::Views,
            Stage::Row(_) if shared.keeps_all(&job.request.row) => Keep::Everything,
            Stage::Row(_) => Keep::Residual,
        },
        alpha: job.alpha(),
    };
    let options: Vec<StepOptions> = jobs.iter().map(options).collect();
    let layer = shared.model.layer(layer as usize);
    layer.forward(&Batch::pack(&segments, layer.window())?, &options)
}

/// Context of a second or later visit of a layer under [`Repeat::SharedSlot`].
struct Slot<'a> {
    /// Positions in the chain of the earlier visits that this one attends to.
    visits: Vec<usize>,
    visible: Visibility<'a>,
}

/// Data that a segment borrows besides its job.
struct Prepared<'a> {
    /// Residuals of the nodes to run, if these are not all nodes of the walk's state.
    residual: Option<Frozen>,
    slot: Option<Slot<'a>>,
}

impl<'a> Prepared<'a> {
    fn new(repeat: Repeat, job: &'a Job) -> Result<Self, ModelError> {
        let Stage::Row(walk) = &job.stage else {
            return Ok(Self {
                residual: None,
                slot: None,
            });
        };
        let (covered, nodes) = (walk.covered(), job.tree.len());
        let residual = match covered > 0 || walk.state.nodes() != nodes {
            true => {
                let count = (nodes - covered) as i64;
                let part = walk.state.residual.f_narrow(0, covered as i64, count)?;
                Some(Frozen::new(part))
            }
            false => None,
        };
        Ok(Self {
            residual,
            slot: slot(repeat, job, walk),
        })
    }
}

fn slot<'a>(repeat: Repeat, job: &'a Job, walk: &Walk) -> Option<Slot<'a>> {
    if repeat == Repeat::Clean {
        return None;
    }
    let layers = job.request.chain.layers();
    let this = layers.get(walk.done)?;
    let earlier = (0..walk.done).filter(|&place| layers[place] == *this);
    let row = &job.request.row;
    let (visits, visible) = seen_in_slot(earlier.collect(), row.ancestors())?;
    Some(Slot { visits, visible })
}

fn segment<'a>(repeat: Repeat, job: &'a Job, prepared: &'a Prepared<'a>) -> Segment<'a> {
    let row = &job.request.row;
    let decoding = match &job.stage {
        Stage::Token(decoding) => decoding,
        Stage::Row(walk) => return row_segment(job, walk, prepared),
    };
    let layers = job.request.chain.layers();
    let this = layers[decoding.done];
    let places = 0..layers.len();
    let visits = places.filter(|&place| match repeat {
        Repeat::Clean => place == decoding.done,
        Repeat::SharedSlot => layers[place] == this,
    });
    let mut context = Vec::with_capacity(2);
    for place in visits {
        let prompt = job.kept[place].key_value.as_ref();
        context.extend(prompt.map(|kv| (kv, row.trunk() as i64)));
        context.extend(decoding.tails[place].context());
    }
    Segment {
        residual: &decoding.residual,
        positions: std::slice::from_ref(&decoding.position),
        context,
        visible: Visibility::All,
    }
}

/// Segment of a job that runs its row: the nodes of its tree that [`Walk::base`] lacks, or all
/// nodes.
fn row_segment<'a>(job: &'a Job, walk: &'a Walk, prepared: &'a Prepared<'a>) -> Segment<'a> {
    let residual = prepared.residual.as_ref().unwrap_or(&walk.state.residual);
    let (positions, tree) = (job.tree.positions(), job.tree.ancestors());
    if let Some(slot) = &prepared.slot {
        let kept = |&place: &usize| {
            let kv = job.kept[place].key_value.as_ref()?;
            Some((kv, kv.size()[0]))
        };
        return Segment {
            residual,
            positions,
            context: slot.visits.iter().filter_map(kept).collect(),
            visible: slot.visible,
        };
    }
    let covered = walk.covered();
    let base = walk.base.as_ref().and_then(|base| base.key_value.as_ref());
    Segment {
        residual,
        positions: &positions[covered..],
        context: base.map(|kv| (kv, covered as i64)).into_iter().collect(),
        visible: Visibility::Tree {
            context: &positions[..covered],
            tree,
        },
    }
}
