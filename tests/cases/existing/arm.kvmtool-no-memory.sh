lkvm run -k Image -c 31 --pmu
