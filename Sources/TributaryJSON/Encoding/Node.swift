/// One value that was encoded, in a tree of indices.
struct Node: BitwiseCopyable {
    // `open`: nothing was encoded yet, an empty object in the end. `dropped`: a failed value, which isn't written.
    enum Kind: UInt8, BitwiseCopyable { case open, leaf, object, array, dropped }

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// The key holds a character that must be escaped.
        static let escapes = Flags(rawValue: 1)
        /// The members didn't come in the order of their keys.
        static let unsorted = Flags(rawValue: 2)
        /// Two members may have the same key.
        static let suspect = Flags(rawValue: 4)
    }

    var kind = Kind.open
    var flags: Flags = []
    /// How many containers it lies in.
    var depth: UInt16 = 0
    /// The container it lies in, and the next in there; zero for none, since the top is in nothing.
    var parent: UInt32 = 0
    var next: UInt32 = 0
    /// A leaf's text begins here; of a container the first child.
    var start: UInt32 = 0
    /// A leaf's text has so many bytes; of a container the last child.
    var size: UInt32 = 0
    /// The number of children.
    var count: UInt32 = 0
    /// The raw key of a member, which a quote precedes and a quote and colon follow; of an element its position.
    var keyStart: UInt32 = 0
    var keySize: UInt32 = 0
    /// The type of an object's keys, plus one.
    var keyType: UInt32 = 0
    /// A filter of the keys of an object.
    var filter: UInt32 = 0
    /// The first eight bytes of the key, the first one highest, zeros after the end.
    var keyHead: UInt64 = 0
}

/// The value is nested deeper than 512, or longer than 4 GB.
struct JSONLimit: Error {}
