//! Each mechanism of the kernel model against a slow and obvious one, where no recording shows what happens: lists that are
//! walked, and spaces of so few slots that every slot can be asked.

#[path = "mechanisms/dma.rs"]
mod dma;
#[path = "mechanisms/doorbells.rs"]
mod doorbells;
#[path = "mechanisms/iommufd.rs"]
mod iommufd;
#[path = "mechanisms/pages.rs"]
mod pages;
#[path = "mechanisms/resv.rs"]
mod resv;
#[path = "mechanisms/slots.rs"]
mod slots;
#[path = "mechanisms/type1.rs"]
mod type1;
