"""Install the queues to compare with, each into a separate environment.

    python bench/install_peers.py

A failed installation is reported with its reason, and that queue is left out of the tables. It is not an error.
"""

from support import peers


def main():
    for peer in (*peers.PEERS, *peers.POSTGRES_PEERS):
        try:
            peers.install(peer)
        except peers.InstallError as error:
            print(f"{peer.requirement} could not be installed and is left out: {error}")
        else:
            print(f"{peer.requirement} is installed in {peer.folder}")


if __name__ == "__main__":
    main()
