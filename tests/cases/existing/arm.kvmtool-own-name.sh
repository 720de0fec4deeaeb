vm run arm/selftest.flat --cpus 2 --mem 256 --params "setup smp=2 mem=256"
