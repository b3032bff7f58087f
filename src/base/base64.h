/* SPDX-License-Identifier: MIT */
/*
 * Base64 (RFC 4648, section 4): the standard alphabet, with padding, without line breaks.
 */
#ifndef FANIN_BASE_BASE64_H
#define FANIN_BASE_BASE64_H

#include "base/text.h"

/* nbytes_text characters to exactly nbytes bytes; false if they are no base64, or another number of bytes. */
bool fanin_base64_decode(const char *text, size_t nbytes_text, void *data, size_t nbytes);
void fanin_base64_add(fanin_text *text, const void *data, size_t nbytes);

#endif
