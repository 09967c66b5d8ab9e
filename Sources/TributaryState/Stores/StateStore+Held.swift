internal import TributaryCore

extension StateStore {
    // MARK: Decoded values

    /// Has the cache note, from now on, of which entries somebody holds the decoded value.
    ///
    /// Called by the one object that holds them, before the store is used; it is found again in ``holder``.
    ///
    /// - Returns: false for a store without cache, of which nothing can be held.
    public func beginHolding(by object: AnyObject) -> Bool {
        guard isCached, holder == nil else { return false }
        holder = object
        cache.noteHeld()
        return true
    }

    /// The cache's entry that a read found, while the store was neither read nor written since; -1 for none.
    @inline(__always)
    public func cachedEntry(of read: RowHandle) -> Int32 { entry(of: read) }

    /// The cache's entry that has what was just written to a key; -1 if it was evicted, or if anything has touched the store since.
    @inline(__always)
    public func writtenEntry(of key: RawSpan) -> Int32 {
        let index = state.value.wroteEntry
        guard state.value.wroteVersion == version, cache.isEntry(index, of: key) else { return -1 }
        return index
    }

    /// Whether the value of an entry is held as it stands; its next write, its eviction and its reuse end that.
    @inline(__always)
    public func isHeld(_ entry: Int32) -> Bool { cache.isHeld(entry) }

    /// Says that the value of an entry is held as it stands.
    @inline(__always)
    public func setHeld(_ entry: Int32) { cache.setHeld(entry) }
}
