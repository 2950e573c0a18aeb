#include <benchmark/benchmark.h>
#include <cblas.h>
#include <chrono>
#include <vector>
#include <random>
#include "tlm/core/array/kernel_simd.h"
using namespace retrace;
static void gemm_b(benchmark::State& st){
  unsigned n=1024; std::vector<std::uint16_t> a(n*n),b(n*n); std::mt19937 e(1);
  for(auto&x:a)x=0x3f80+(e()%64); for(auto&x:b)x=0xbf80+(e()%64);
  std::vector<std::uint32_t> c(n*n);
  matrix_view va{(const std::byte*)a.data(),n*2,n,n,number_format::bf16},vb{(const std::byte*)b.data(),n*2,n,n,number_format::bf16};
  for(auto _:st){kernel::gemm(va,vb,st.range(0),c.data(),n);benchmark::DoNotOptimize(c.data());}
  st.counters["GFLOPs"]=benchmark::Counter(2.0*n*n*n*1e-9,benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(gemm_b)->Arg(128)->Arg(32)->MinTime(1);
static void blas(benchmark::State& st){
  unsigned n=1024; std::vector<float> a(n*n,1.f),b(n*n,2.f),c(n*n);
  for(auto _:st){cblas_sgemm(CblasRowMajor,CblasNoTrans,CblasNoTrans,n,n,n,1,a.data(),n,b.data(),n,0,c.data(),n);benchmark::DoNotOptimize(c.data());}
  st.counters["GFLOPs"]=benchmark::Counter(2.0*n*n*n*1e-9,benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(blas)->MinTime(1);
static void tile(benchmark::State& st){
  unsigned m=st.range(0),r=st.range(1),cc=r; std::vector<std::uint16_t> a(m*r,0x3f81),b(r*cc,0x3f82); std::vector<std::uint32_t> c(m*cc); std::vector<float> p(kernel::packed_floats(r,cc));
  matrix_view va{(const std::byte*)a.data(),r*2,m,r,number_format::bf16},vb{(const std::byte*)b.data(),cc*2,r,cc,number_format::bf16};
  for(auto _:st){kernel::pack_weights(vb,p.data());kernel::multiply_tile(va,p.data(),cc,c.data(),cc);benchmark::DoNotOptimize(c.data());}
  st.counters["GMACs"]=benchmark::Counter(1.0*m*r*cc*1e-9,benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(tile)->Args({64,32})->Args({512,32})->Args({512,128})->Args({8,8});
#include "tlm/core/array/stepped_array.h"
#include "tlm/core/array/kernel_array.h"
template<class A> static void steps(benchmark::State& st){
  array_config cfg; cfg.rows=cfg.columns=st.range(1); unsigned r=cfg.rows,m=st.range(0);
  std::vector<std::uint16_t> a(m*r,0x3f81),b(r*r,0x3f82);
  matrix_view va{(const std::byte*)a.data(),r*2,m,r,number_format::bf16},vb{(const std::byte*)b.data(),r*2,r,r,number_format::bf16};
  A arr(cfg); uint64_t t=0; column_sums out; uint64_t n=0; 
  arr.load_weights(0,vb); t=r;
  for(auto _:st){ arr.stream(t,va,true); arr.load_weights(t,vb); uint64_t t0=t; t+=std::max(m,r); 
    while(arr.collect(t-1,out)){}; n+=t-t0; }
  st.counters["cycles"]=benchmark::Counter(n,benchmark::Counter::kIsRate);
}
BENCHMARK(steps<stepped_array>)->Args({512,32})->Args({32,32})->Args({512,128});
BENCHMARK(steps<kernel_array>)->Args({512,32})->Args({64,32})->Args({32,32})->Args({512,128});
