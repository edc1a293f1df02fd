"""A homography from matched points, from matched lines, or from both together."""

import os
from dataclasses import dataclass

import numpy as np

from gluestick.estimation.correspondences import (
    Correspondences,
    symmetric_errors,
    transfer_errors,
)
from gluestick.estimation.minimal import SAMPLE_KINDS, draw_samples, solve_samples
from gluestick.estimation.noise import refine_with_noise
from gluestick.estimation.refinement import TruncatedLoss, refine
from gluestick.geometry.points import normalizing_transform, spread

_CHUNK = 512
CFG=dict(fin=32,lo=4,lo_its=6,pre=96,locap=10**9,cond=False,lomul=(1,))

def _search(data, *, threshold, confidence, max_iterations, min_volume, rng):
    c=CFG
    kinds=[k for k in SAMPLE_KINDS if k[0]<=data.num_points and k[1]<=data.num_lines]
    if not kinds: return None
    perm=rng.permutation(data.num_points),rng.permutation(data.num_lines)
    preview=data.select(perm[0][:c['pre']],perm[1][:c['pre']])
    lodata=data.select(perm[0][:c['locap']],perm[1][:c['locap']])
    best=None;best_cost=np.inf;best_raw=np.inf
    drawn,needed=0,float(max_iterations)
    while drawn<min(needed,max_iterations):
        H=np.concatenate([solve_samples(data,
            draw_samples(rng,population=data.num_points,size=a,number=_CHUNK//len(kinds)),
            draw_samples(rng,population=data.num_lines,size=b,number=_CHUNK//len(kinds)),
            min_volume=min_volume) for a,b in kinds])
        drawn+=_CHUNK
        if len(H)==0: continue
        cost=sum(np.minimum(e,threshold).sum(1) for e in transfer_errors(H,preview))
        H=H[np.argsort(cost,kind='stable')[:c['fin']]]
        cost=np.minimum(symmetric_errors(H,data),threshold).sum(1)
        if c['cond'] and cost.min()>=best_raw: continue
        best_raw=min(best_raw,cost.min())
        H=H[np.argsort(cost,kind='stable')[:c['lo']]]
        H=np.concatenate([refine(H,lodata,loss=TruncatedLoss(m*m*threshold/2),max_iterations=c['lo_its']) for m in c['lomul']])
        e=symmetric_errors(H,data)
        cost=np.minimum(e,threshold).sum(1)
        i=cost.argmin()
        if cost[i]<best_cost:
            best_cost=cost[i];best=H[i]
            inl=e[i]<threshold
            S=data.num_points
            rp=inl[:S].mean() if S else 0; rl=inl[S:].mean() if data.num_lines else 0
            p=np.mean([rp**a*rl**b for a,b in kinds])
            needed=3*np.log(1-confidence)/np.log1p(-min(p,1-1e-9)) if p>1e-12 else np.inf
    return best

def est(points0, points1, lines0, lines1, max_error=3.0, confidence=0.9999, max_iterations=50000, seed=0, cfg={}):
    old=dict(CFG); CFG.update(cfg)
    try:
        all0=np.concatenate([points0,lines0.reshape(-1,2)]); all1=np.concatenate([points1,lines1.reshape(-1,2)])
        scale=(spread(all0)+spread(all1))/2
        T0=normalizing_transform(all0,scale=scale);T1=normalizing_transform(all1,scale=scale)
        n=lambda T,x:(x*T[0,0]+T[:2,2])
        data=Correspondences.from_arrays(n(T0,points0),n(T1,points1),n(T0,lines0),n(T1,lines1))
        thr=(max_error/scale)**2
        rng=np.random.default_rng(seed)
        H=_search(data,threshold=thr,confidence=confidence,max_iterations=max_iterations,min_volume=max_error/scale,rng=rng)
        if H is None: return None
        H=refine_with_noise(H,data,threshold=thr)
        e=symmetric_errors(H[None],data)[0]
        H=np.linalg.inv(T1)@H@T0
        return H/H[2,2], e[:len(points0)]<thr,e[len(points0):]<thr
    finally: CFG.clear(); CFG.update(old)
