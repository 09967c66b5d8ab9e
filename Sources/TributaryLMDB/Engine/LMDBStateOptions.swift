package import TributaryCore

/// How a state engine on LMDB is opened.
public struct LMDBStateOptions: Sendable {
    /// What a commit waits for.
    public enum Durability: Sendable, Hashable {
        /// Data is on disk when a commit returns; a crash of the system may undo the last commit, never tear one.
        case standard
        /// Data and the commit itself are on disk.
        case full
        /// Nothing is waited for: a crash of the *system* means a rebuild, which is noticed at the next open.
        case fast
    }

    /// The most bytes the file can grow to: a reservation of addresses, not of memory or disk.
    public var mapSize: Int
    /// The most tables at once.
    public var maximumTables: Int
    /// What a commit waits for.
    public var durability: Durability
    /// How many bytes of disk space are to stay free: a commit that finds less throws `StoreError.Code.diskFull` before it
    /// writes; of a small file system a 64th; 0 for none.
    public var reserveBytes: Int64 = 64 << 20
    /// How large a file may be, in bytes, to be read through and checked each time that it is opened: a second or two per GiB in
    /// the system's memory, else what the disk takes.
    ///
    /// With a limit, a bit that a disk turned in a larger file can hide rows or overwrite them, unseen. One that wasn't closed by
    /// the last process with it is checked whatever its size.
    public var checkedBytes: Int = .max
    /// How many starts in a row may die before they have got on; the next one is refused the file.
    package var maximumDeaths = 2
    /// Fails chosen writes, in tests.
    package var faults: LMDBFaults?
    /// Called between the steps of a swap, in tests.
    package var killPoint: KillPointHook?

    /// Makes options; the defaults are 64 GiB, 1024 tables and ``Durability/standard``.
    public init(mapSize: Int = 64 << 30, maximumTables: Int = 1024, durability: Durability = .standard) {
        self.mapSize = mapSize
        self.maximumTables = maximumTables
        self.durability = durability
    }
}
