/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of libmicrohttpd's connections. It maps a pool of some 40 KiB for each and keeps what a request
 * has touched of it; its calls of mmap() and munmap() are renamed when it is built (tools/deps) and end here,
 * so that an idle connection can give its pages back. */
#ifndef POSTERN_HTTP1_MHD_MEMORY_H
#define POSTERN_HTTP1_MHD_MEMORY_H

/* Gives back the pages of the pool that `inside` points into. Between two requests of its connection only:
 * then libmicrohttpd holds nothing there. Does nothing for a pointer that is none of a pool's. */
void mhd_memory_rest(const void *inside);

#endif
