internal import TributaryCore

/// Whether values that somebody holds may stay unencoded in caches until these are flushed, for the stores of one thread.
///
/// One that can't be encoded then fails behind the record that made it, which is undone: nothing since the last commit counts, and all
/// is done again with the store encoding at each update, where the record fails by itself. So only where what was done can be taken
/// back: in a transaction; or without, until something is sent. Used by the thread.
public final class DeferredEncoding {
    private let now = Owned(false)
    private let isEver: Bool
    private let exceptions: Set<String>
    private var stores: [Member] = []
    /// The first value that could not be encoded; nil while there is none.
    ///
    /// Whoever called may have swallowed it; nothing that was done since the last commit may be committed any more.
    public private(set) var failure: StoreError?

    private struct Member {
        weak var store: StateStore?
    }

    /// Encodes at each update.
    public init() {
        isEver = false
        exceptions = []
    }

    /// Encodes at the flush, but for the stores with these names.
    public init(except stores: Set<String>) {
        isEver = true
        exceptions = stores
        now.value = true
    }

    /// Whether a value may stay unencoded just now.
    @inline(__always) var isOn: Bool { now.value }

    /// Whether a store's values may ever.
    func isFor(_ store: String) -> Bool { isEver && !exceptions.contains(store) }

    /// A store is one of the thread's.
    func add(_ store: StateStore) {
        stores.removeAll { $0.store == nil }
        stores.append(Member(store: store))
    }

    func failed(by error: StoreError) { if failure == nil { failure = error } }

    /// Throws what could not be encoded.
    public func check() throws(StoreError) {
        if let failure { throw failure }
    }

    /// Something is to be sent that nobody can take back: encodes all, and what follows at each update until ``resume()``.
    public func encodeAll() throws(StoreError) {
        guard isEver else { return }
        try check()
        now.value = false
        for member in stores { try member.store?.encodeHeld() }
    }

    /// All that was sent is committed.
    public func resume() { now.value = isEver }
}
