/// The topics behind the 4-byte hashes of cells, for showing cells to people and programs.
public struct SourceNames: Sendable, Equatable {
    private var topics: [UInt32: String]

    /// Names nothing.
    public init() { topics = [:] }

    /// Names the topics of a cluster.
    public init(cluster: String, topics: some Sequence<String>) {
        self.init()
        for topic in topics { add(cluster: cluster, topic: topic) }
    }

    /// Names one more topic; the first of two topics with the same hash keeps it.
    ///
    /// - Returns: the other topic of this hash, if there is one. A topology with such topics must be refused.
    @discardableResult
    public mutating func add(cluster: String, topic: String) -> String? {
        let hash = SourcePartition.source(cluster: cluster, topic: topic)
        if let known = topics[hash] { return known == topic ? nil : known }
        topics[hash] = topic
        return nil
    }

    /// The topic of a hash, if it is known.
    public subscript(source: UInt32) -> String? { topics[source] }
}
