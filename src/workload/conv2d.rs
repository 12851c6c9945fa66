//! Two-dimensional convolution (cross-correlation, as in every framework): the layer of image networks.
//!
//! What surprises people: taps that fall on the padding count as work, as custom has it. The extents of the output follow
//! from those of the input; `pad` is the one axis that may be 0.

use super::dot::{Dot, Factors};
use super::gemm::{SAMPLED_ROWS, result};
use super::{
    Axis, DeviceClass, Expected, Inputs, Instance, Picks, Problem, Product, Tensor, elements, input, output, samples,
    work,
};
use crate::model::{Counted, ElementType, Shape, Work};

/// The problem `conv2d`.
pub(super) struct Conv2d;

/// A shape with the extents that follow from it.
#[derive(Clone, Copy)]
struct Layer {
    batch: u64,
    channels: u64,
    height: u64,
    width: u64,
    filters: u64,
    kernel: u64,
    stride: u64,
    pad: u64,
    out_height: u64,
    out_width: u64,
}

impl Layer {
    fn new(shape: &Shape) -> Self {
        let [batch, channels, height, width] = ["batch", "channels", "height", "width"].map(|axis| shape.get(axis));
        let [filters, kernel, stride, pad] = ["filters", "kernel", "stride", "pad"].map(|axis| shape.get(axis));
        let out = |extent: u64| (extent + 2 * pad).saturating_sub(kernel) / stride.max(1) + 1;
        let (out_height, out_width) = (out(height), out(width));
        Self { batch, channels, height, width, filters, kernel, stride, pad, out_height, out_width }
    }
    /// Pixels of an output image.
    fn pixels(&self) -> u64 {
        self.out_height.saturating_mul(self.out_width)
    }
    /// Taps of a filter: terms of every sum.
    fn taps(&self) -> u64 {
        elements(&[self.channels, self.kernel, self.kernel])
    }
    /// Element of the input under a tap of a pixel, pixels counted through the batch; `None` on the padding.
    fn under(&self, tap: u64, pixel: u64) -> Option<u64> {
        let (channel, place) = (tap / (self.kernel * self.kernel), tap % (self.kernel * self.kernel));
        let (image, own) = (pixel / self.pixels(), pixel % self.pixels());
        let y = (own / self.out_width * self.stride + place / self.kernel).checked_sub(self.pad)?;
        let x = (own % self.out_width * self.stride + place % self.kernel).checked_sub(self.pad)?;
        let inside = y < self.height && x < self.width;
        inside.then(|| ((image * self.channels + channel) * self.height + y) * self.width + x)
    }
    /// Place in the output of a filter's value at a pixel.
    fn place(&self, filter: u64, pixel: u64) -> u64 {
        (pixel / self.pixels() * self.filters + filter) * self.pixels() + pixel % self.pixels()
    }
    /// Corners of the first and the last image and one pixel inside of each.
    fn corners(&self) -> impl Iterator<Item = u64> + use<> {
        let layer = *self;
        let ends = |extent: u64| [0, 1.min(extent - 1), extent - 1];
        let pixels = move |image: u64| {
            let rows = ends(layer.out_height).into_iter();
            rows.flat_map(move |y| ends(layer.out_width).map(|x| image * layer.pixels() + y * layer.out_width + x))
        };
        [0, layer.batch - 1].into_iter().flat_map(pixels)
    }
}

impl Conv2d {
    /// Sums of filters at pixels, pixels counted through the batch.
    fn dots(&self, instance: &Instance, pairs: &[(u64, Vec<u64>)]) -> Vec<Vec<Dot>> {
        let layer = Layer::new(&instance.shape);
        let (x, w): (Inputs, Inputs) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let taps = layer.taps();
        let factors = Factors {
            rows: &|filter, first, out| w.fill(filter * taps + first, out),
            columns: &|tap, pixel| layer.under(tap, pixel).map_or(0.0, |index| x.at(index)),
            smallest: [w.element().min_positive(), x.element().min_positive()],
        };
        factors.products(taps, pairs)
    }
}

impl Problem for Conv2d {
    fn id(&self) -> &'static str {
        "conv2d"
    }
    fn summary(&self) -> &'static str {
        "Convolution layer: NCHW images, square filters; f32, or f16 with f32 results"
    }
    fn formula(&self) -> &'static str {
        "y = w ⋆ x, with oh = (height + 2·pad − kernel) // stride + 1 and ow likewise; \
         FLOP = 2·batch·filters·oh·ow·channels·kernel²; \
         bytes = e·(batch·channels·height·width + filters·channels·kernel²) + e_y·|y|"
    }
    fn axes(&self) -> &'static [Axis] {
        &[
            Axis { name: "batch", meaning: "images" },
            Axis { name: "channels", meaning: "channels of an input image" },
            Axis { name: "height", meaning: "rows of an input image" },
            Axis { name: "width", meaning: "columns of an input image" },
            Axis { name: "filters", meaning: "channels of an output image" },
            Axis { name: "kernel", meaning: "rows and columns of a filter" },
            Axis { name: "stride", meaning: "input pixels from one output pixel to the next" },
            Axis { name: "pad", meaning: "zeros on each side of an image; may be 0" },
        ]
    }
    fn counted(&self) -> Counted {
        Counted::Flop
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::Mixed)
    }
    /// On hardware: a 3×3 layer of the third stage of ResNet-50 at a batch of 32.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        let (batch, channels, side) = match class {
            DeviceClass::Hardware => (32, 128, 28),
            DeviceClass::Software => (1, 32, 28),
        };
        let image = [("batch", batch), ("channels", channels), ("height", side), ("width", side)];
        let filter = [("filters", channels), ("kernel", 3), ("stride", 1), ("pad", 1)];
        Shape::new(image.into_iter().chain(filter))
    }
    fn rule(&self, shape: &Shape) -> Option<String> {
        let layer = Layer::new(shape);
        let most = layer.height.min(layer.width) + 2 * layer.pad;
        (layer.kernel > most).then(|| {
            format!(
                "a filter of {0}x{0} does not fit an image that is {most} pixels high or wide with its padding: lower \
                 kernel or raise pad",
                layer.kernel
            )
        })
    }
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let layer = Layer::new(shape);
        let product = |extents: &[u64]| extents.iter().map(|extent| *extent as f64).product::<f64>();
        let outputs = product(&[layer.batch, layer.filters, layer.out_height, layer.out_width]);
        let taps = product(&[layer.channels, layer.kernel, layer.kernel]);
        let inputs = product(&[layer.batch, layer.channels, layer.height, layer.width]) + layer.filters as f64 * taps;
        work(2.0 * outputs * taps, element.bytes() * inputs + result(element).bytes() as f64 * outputs)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let layer = Layer::new(shape);
        let scalar = element.scalar();
        vec![
            input("x", scalar, &[layer.batch, layer.channels, layer.height, layer.width]),
            input("w", scalar, &[layer.filters, layer.channels, layer.kernel, layer.kernel]),
            output("y", result(element), &[layer.batch, layer.filters, layer.out_height, layer.out_width]),
        ]
    }
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64 {
        let layer = Layer::new(shape);
        [layer.width, layer.taps(), layer.out_width][tensor.min(2)]
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        let layer = Layer::new(&instance.shape);
        let pixels = layer.pixels();
        if tensor != 2 || index >= layer.batch * layer.filters * pixels {
            return f64::NAN;
        }
        let (plane, own) = (index / pixels, index % pixels);
        let pixel = plane / layer.filters * pixels + own;
        self.dots(instance, &[(plane % layer.filters, vec![pixel])])[0][0].value
    }
    /// Tiles run along filters and along the pixels of all images, so those are sampled as rows and columns are; corners of
    /// images, where taps meet padding on two sides, are always among them. The bound is that of `gemm`.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let layer = Layer::new(&instance.shape);
        let (filters, pixels) = (layer.filters, layer.batch * layer.pixels());
        let mut pairs = samples::grid(filters, pixels, samples, SAMPLED_ROWS, &mut Picks::new(pick));
        let rows = pairs.len();
        for (turn, pixel) in layer.corners().enumerate() {
            let own = &mut pairs[turn % rows].1;
            if !own.contains(&pixel) {
                own.push(pixel);
            }
        }
        let dots = self.dots(instance, &pairs);
        let flat = pairs.iter().zip(&dots).flat_map(|((filter, own), dots)| {
            own.iter().zip(dots).map(move |(pixel, dot)| (layer.place(*filter, *pixel), dot))
        });
        let bound = |dot: &Dot| dot.bound_in(layer.taps(), instance.element, instance.pattern);
        flat.map(|(index, dot)| Expected { tensor: 2, index, value: dot.value, bound: bound(dot) }).collect()
    }
    /// Filters times patches, image by image; patches are gathered as they are asked for.
    fn product<'a>(&'a self, instance: &'a Instance) -> Option<Product<'a>> {
        let layer = Layer::new(&instance.shape);
        let (pixels, taps) = (layer.pixels(), layer.taps());
        let (x, w) = (self.inputs(instance, 0), self.inputs(instance, 1));
        let under = move |tap: u64, pixel: u64| layer.under(tap, pixel).map_or(0.0, |index| x.at(index)) as f32;
        Some(Product {
            left: Box::new(move |_, filter, out| w.fill(filter * taps, out)),
            right: Box::new(move |image, tap, out| {
                (image * pixels..).zip(out).for_each(|(pixel, slot)| *slot = under(tap, pixel));
            }),
            ..Product::of(self, instance, [1, 0, 2], [layer.batch, layer.filters, pixels, taps])?
        })
    }
}
