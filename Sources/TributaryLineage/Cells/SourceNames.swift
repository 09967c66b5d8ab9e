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

    /// Names a topic and those of the same name that were before it.
    ///
    /// `orders` is the one that is there, `orders (1)` the first of its lives. Of very many lives the last 1000 are named.
    public mutating func add(cluster: String, topic: String, lives: UInt64) {
        add(cluster: cluster, topic: topic, life: lives)
        guard lives > 1 else { return }
        for life in (lives > 1000 ? lives - 1000 : 1)..<lives {
            let hash = SourcePartition.source(cluster: cluster, topic: topic, life: life)
            if topics[hash] == nil { topics[hash] = "\(topic) (\(life))" }
        }
    }

    /// Names one more topic; the first of two topics with the same hash keeps it.
    ///
    /// - Parameters:
    ///   - cluster: the cluster's id.
    ///   - topic: the topic's name.
    ///   - life: which topic of that name, from 1.
    /// - Returns: the other topic of this hash, if there is one. A topology with such topics must be refused.
    @discardableResult
    public mutating func add(cluster: String, topic: String, life: UInt64 = 1) -> String? {
        let hash = SourcePartition.source(cluster: cluster, topic: topic, life: life)
        if let known = topics[hash] { return known == topic ? nil : known }
        topics[hash] = topic
        return nil
    }

    /// The topic of a hash, if it is known.
    public subscript(source: UInt32) -> String? { topics[source] }
}
