"""All distance criteria: when two atoms are bonded, when a bond is lost, and how close two atoms may be.

Values without unit are multiples of the sum of the covalent radii of the two atoms (10.1039/b801115j); those of the
last group are multiples of the sum of van der Waals radii (10.1039/c3dt50599e). Names that end in `_A` are in angstrom.

=====================  ======  =======================================================================================
Question               Limit   Criterion
=====================  ======  =======================================================================================
Bonded in a molecule?  < 1.15  MOLECULAR_BOND
Bonded to a crystal?   < 1.25  CRYSTAL_BOND
Is the state intact?   < 1.35  STATE_BOND: a bond that defines the state
Is a bond lost?        > 1.40  BOND_LOST: a bond on record
Is a bond gained?      < 1.10  BOND_GAINED: a contact not on record
Ion coordinated?       < 1.50  COORDINATION
Still on the surface?  < 1.60  SURFACE_CONTACT
=====================  ======  =======================================================================================
"""

# Bonds ------------------------------------------------------------------------------------------------------------
# Includes dative bonds (Al-O 2.0 A is at 1.07) and excludes second neighbours (Ti...C of an amide is at 1.21).
MOLECULAR_BOND = 1.15
# Crystals have longer bonds: Pb-O 2.6 A is at 1.22.
CRYSTAL_BOND = 1.25
# Between these two limits a pair keeps its previous status. Otherwise a pair near one limit would alternate between
# bonded and not bonded during a relaxation.
BOND_LOST, BOND_GAINED = 1.4, 1.1
# A bond that defines a state, with one end on the crystal. Wider than CRYSTAL_BOND, because relaxations stretch bonds.
STATE_BOND = 1.35
# Anions and ligand anchors within this distance count in the coordination number of a surface cation.
COORDINATION = 1.5
# A fragment within this distance has not desorbed.
SURFACE_CONTACT = 1.6
# In the crystal, a cation is bonded to the anions within this multiple of its shortest distance to an anion.
COORDINATION_SHELL = 1.2
# A hydrogen atom or a molecule within this distance occupies the anion.
ANION_OCCUPIED_A = 1.8

# Targets of the builders ------------------------------------------------------------------------------------------
# The spring model pulls a forming bond to SPRING_FORMED, between covalent (1.0) and dative (1.1 to 1.15), pushes a
# breaking one to SPRING_BROKEN, and fails if a forming bond stays longer than SPRING_REACHED.
SPRING_FORMED, SPRING_BROKEN, SPRING_REACHED = 1.08, 1.7, 1.3
# Atoms that are not bonded repel within SPRING_CONTACT, within limits in A: H...H costs energy below 2.1 A (van der
# Waals radii less 10 %), and next to caesium, whose covalent radius is that of a metal, 3.3 A are enough.
SPRING_CONTACT, SPRING_CONTACT_RANGE_A = 1.45, (2.1, 3.3)
# At the beginning of a relaxation, restraints act on forming bonds longer than the first limit and on breaking bonds
# shorter than the second one.
RESTRAINT_FORMED, RESTRAINT_BROKEN = 1.15, 1.6
# Distance of a donor atom from its acceptor in a rigid pose (Al-O 2.0 A is at 1.07, Zn-S 2.6 A at 1.14).
DATIVE_BOND = 1.15
# An anchor that stays this many bond lengths above its site is not on the site.
POSE_TOO_HIGH = 1.8
# Distance of an acid proton from the anion on which it is placed.
PROTON_ON_ANION_A = 1.4
# Distance of an ion of an additional neutral unit from the surface ion below it.
ADDED_ION = 1.05

# Shortest distances -----------------------------------------------------------------------------------------------
# Two atoms that must not be bonded.
CLASH = 0.65
# Two atoms of the crystal of a material record; below this limit the record is wrong.
CRYSTAL_OVERLAP = 0.6
# Any two atoms of a structure file; the shortest bond is H-H with 0.74 A.
SHORTEST_DISTANCE_A = 0.6
# Two point defects: closer positions are the same site.
DEFECT_SEPARATION_A = 1.5
# A metal atom and an atom to which it can bind: Pb-O 1.80 A, Pb-Cl 2.11 A.
SHORTEST_METAL_BOND = 0.85
# A site is occupied if an atom of a molecule is within this distance of the centre of the probe sphere on the site.
SITE_OCCUPIED_A = 2.2

# Van der Waals contacts -------------------------------------------------------------------------------------------
# H...H 1.80 A, C...H 2.23 A, C...C 2.66 A. The shortest contacts in crystals of alkanes and fatty acids are at 0.9. A
# starting structure may have shorter contacts by a tenth.
VAN_DER_WAALS_CONTACT = 0.75
# The head group of a ligand may be as close as a short hydrogen bond: O...H 1.76 A, O...Cl 2.16 A.
HEAD_GROUP_CONTACT = 0.65
# Factor on the contact limits: hydrogens beside a cis double bond are 1.78 A apart in any conformation.
ALLYLIC_CONTACT = 0.98
# Cations in crystals are smaller than van der Waals radii, which are those of atoms (Cs 3.48 A, Cs+ 1.88 A).
LONGEST_CONTACT_A = 2.8
# Radius of a placeholder for a molecular ion such as formamidinium; assumed.
MOLECULAR_ION_RADIUS_A = 2.5
