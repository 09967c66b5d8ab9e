extension DecodingState {
    /// The bits of a text's first word, of which it has `size` bytes or more.
    @inline(__always)
    func mask(of size: Int) -> UInt64 { size < 8 ? (1 &<< UInt64(8 &* size)) &- 1 : .max }

    /// The bit of a key in an object's filter, by its first and last eight bytes and its length.
    @inline(__always)
    func filterBit(_ head: UInt64, _ last: UInt64, _ size: Int) -> UInt64 {
        let mixed = (head ^ last &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: size)) &* multiplier.value
        return 1 &<< (mixed &>> 58)
    }

    /// A hash of a key's bytes; equal bytes have equal hashes in one process.
    @inline(__always)
    func hash(of bytes: RawInput) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: bytes.count)
        var offset = 0
        while offset &+ 8 <= bytes.count {
            hash = (hash ^ bytes.word(at: offset)) &* multiplier.value
            hash ^= hash &>> 29
            offset &+= 8
        }
        if offset < bytes.count {
            var word: UInt64 = 0
            while offset < bytes.count {
                word = word &<< 8 | UInt64(bytes[offset])
                offset &+= 1
            }
            hash = (hash ^ word) &* multiplier.value
            hash ^= hash &>> 29
        }
        return hash &* multiplier.value
    }

    /// Hides each member of `object` whose key came before: the first one counts, as with Foundation.
    func hideRepeatedKeys(of object: Int, _ count: UInt32) {
        let members = Int(count)
        let end = tape.count
        if members <= 16 {
            var isAny = false
            var later = object &+ 1
            while later < end {
                var earlier = object &+ 1
                while earlier < later {
                    if isSameKey(earlier, later) {
                        tape[later].flags.insert(.hidden)
                        isAny = true
                        break
                    }
                    earlier = after(earlier &+ 1)
                }
                later = after(later &+ 1)
            }
            if !isAny, members <= 8 { isUnlucky.value = true }
            return
        }
        // A table of open addressing, twice as large as needed; its slots hold the index of a key, zero for none.
        var bits = 6
        while 1 &<< bits < 2 &* members { bits &+= 1 }
        let mask = 1 &<< bits &- 1
        slots.removeAll()
        slots.reserve(mask &+ 1)
        for _ in 0...mask { slots.append(0) }
        var key = object &+ 1
        while key < end {
            var slot = Int(truncatingIfNeeded: hash(of: text(at: key)) &>> 32) & mask
            while slots[slot] != 0, !isSameKey(Int(slots[slot]), key) { slot = (slot &+ 1) & mask }
            if slots[slot] == 0 {
                slots[slot] = UInt32(truncatingIfNeeded: key)
            } else {
                tape[key].flags.insert(.hidden)
            }
            key = after(key &+ 1)
        }
    }

    private func isSameKey(_ one: Int, _ other: Int) -> Bool {
        let (first, second) = (tape[one], tape[other])
        guard first.extra == second.extra, first.size == second.size else { return false }
        return text(at: one).matches(text(at: other), at: 0)
    }
}
