"""Who stands where: many jobs on one cluster, many models on one pool of machines, the ranks of one job."""
